"""From the setting `log` to the client's configuration.

`kafka://host:port[,host:port…][?name=value&…]`: names are those of librdkafka's CONFIGURATION.md, as
in `?security.protocol=SASL_SSL&sasl.mechanisms=SCRAM-SHA-512`. Each can also come from a variable, so
that no password stands in a file: HANSE_KAFKA_SASL_PASSWORD is `sasl.password`. Variables win.
Two names are Hanse's own. `replication` is that of topics that are made (-1: the broker's default).
`reader` is `columnar`, which decodes whole record batches, or `confluent`, the client library's
consumer; without it the columnar reader is taken when it knows every option of security and proxying
that is given (PLAIN and SCRAM, PEM files, checking of names), and the other when not.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from hanse.errors import ConfigError

_PREFIX = "HANSE_KAFKA_"
_SERVER = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})")
_OURS = {
    "bootstrap.servers",
    "enable.idempotence",
    "acks",
    "partitioner",
    "enable.auto.commit",
    "enable.partition.eof",
    "auto.offset.reset",
    "group.id",
}


_COLUMNAR = {
    "security.protocol",
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.username",
    "sasl.password",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.key.location",
    "ssl.key.password",
    "ssl.endpoint.identification.algorithm",
    "enable.ssl.certificate.verification",
}
Option = str | int | float | bool


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """Brokers and what is passed through to the client."""

    servers: str
    options: dict[str, str]
    replication: int = -1
    reader: str = "columnar"

    def client(self, **more: Option) -> dict[str, Option]:
        """A configuration for a client; `more` wins, with underscores for dots in names."""
        base: dict[str, Option] = {
            "bootstrap.servers": self.servers,
            "client.id": "hanse",
            "reconnect.backoff.ms": 100,
            "reconnect.backoff.max.ms": 5_000,
            "topic.metadata.refresh.interval.ms": 60_000,
        }
        return base | self.options | {name.replace("_", "."): value for name, value in more.items()}


def kafka_settings(address: str, environ: Mapping[str, str] | None = None) -> KafkaSettings:
    """The settings of an address. Raises ConfigError, naming what is wrong with it."""
    parts = urlsplit(address)
    servers = parts.netloc.split(",")
    if parts.scheme != "kafka" or not all(_is_server(s) for s in servers) or parts.path not in {"", "/"}:
        raise ConfigError(
            "the setting `log` is not the address of Apache Kafka",
            expected="kafka://host:port[,host:port][?name=value]",
            got=_without_secrets(address),
        )
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    for variable, value in (os.environ if environ is None else environ).items():
        if variable.startswith(_PREFIX):
            options[variable.removeprefix(_PREFIX).lower().replace("_", ".")] = value
    refused = sorted(_OURS & set(options))
    if refused:
        raise ConfigError(
            "a Kafka option cannot be chosen, because Hanse's guarantees rest on it", got=", ".join(refused)
        )
    replication = options.pop("replication", "-1")
    if not re.fullmatch(r"-1|[1-9]\d{0,2}", replication):
        raise ConfigError(
            "the replication factor is not a number",
            expected="1 or more, or -1 for the broker's",
            got=replication,
        )
    return KafkaSettings(",".join(servers), options, int(replication), _reader(options))


def _is_server(text: str) -> bool:
    match = _SERVER.fullmatch(text)
    return match is not None and 0 < int(match[2]) <= 65_535


def _reader(options: dict[str, str]) -> str:
    """Takes `reader` out of the options; chooses when it is not there."""
    unknown = sorted(
        name for name in options if name.startswith(("ssl.", "sasl.", "socket.")) and name not in _COLUMNAR
    )
    mechanism = options.get("sasl.mechanisms") or options.get("sasl.mechanism") or "PLAIN"
    if mechanism not in {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}:
        unknown.append(f"sasl.mechanisms={mechanism}")
    reader = options.pop("reader", "confluent" if unknown else "columnar")
    if reader not in {"confluent", "columnar"}:
        raise ConfigError("there is no such Kafka reader", expected="confluent or columnar", got=reader)
    if reader == "columnar" and unknown:
        raise ConfigError(
            "the columnar reader does not know a Kafka option",
            got=", ".join(unknown),
            fix="read with `reader=confluent`",
        )
    return reader


def _without_secrets(address: str) -> str:
    return re.sub(r"(password|secret|key)([^=&]*)=[^&]*", r"\1\2=***", address, flags=re.IGNORECASE)
