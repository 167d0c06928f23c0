"""Opens the event log that a mesh's settings name."""

from __future__ import annotations

from typing import cast
from urllib.parse import parse_qsl, urlsplit

from hanse.errors import ConfigError
from hanse.ports.event_log import EventLog
from hanse.settings import Settings


def open_log(settings: Settings) -> EventLog:
    """The log of `settings.log` with the mesh's archive below it. Raises ConfigError.

    `sqlite:` is the embedded log, with the options `?sync=full|normal` and `?max_bytes=N`;
    `kafka://host:port[,host:port]` is Apache Kafka, with client settings as options.
    """
    from hanse.log.archive import Archive
    from hanse.log.archived import ArchivedLog

    return ArchivedLog(_open(settings), Archive(settings.archive_path))


def _open(settings: Settings) -> EventLog:
    scheme = urlsplit(settings.log).scheme
    if scheme == "sqlite":
        return _sqlite(settings)
    if scheme == "kafka":
        from hanse.adapters.kafka.log import KafkaLog
        from hanse.adapters.kafka.settings import kafka_settings

        return KafkaLog(kafka_settings(settings.log))
    raise ConfigError(
        "the setting `log` names no log that Hanse knows",
        where=str(settings.root),
        expected="sqlite: or kafka://host:port",
        got=settings.log,
    )


def _sqlite(settings: Settings) -> EventLog:
    from hanse.adapters.sqlite_log import SqliteLog
    from hanse.adapters.sqlite_log_storage import Sync

    options = dict(parse_qsl(urlsplit(settings.log).query, keep_blank_values=True))
    sync = options.pop("sync", "full")
    limit = options.pop("max_bytes", None)
    if options or sync not in {"full", "normal"} or not (limit is None or limit.isdigit()):
        raise ConfigError(
            "the setting `log` has an option that the embedded log does not know",
            where=str(settings.root),
            expected="sqlite:?sync=full|normal&max_bytes=N",
            got=settings.log,
        )
    return SqliteLog(
        settings.log_path, sync=cast(Sync, sync), max_bytes=None if limit is None else int(limit)
    )
