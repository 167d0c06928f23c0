"""TLS and SASL: what is passed through reaches the client library and the columnar reader alike."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from hanse.adapters.kafka import broker
from hanse.adapters.kafka.log import KafkaLog
from hanse.adapters.kafka.settings import kafka_settings
from hanse.errors import LogError
from hanse.ports.event_log import Record, TopicSpec

pytestmark = pytest.mark.kafka

JAAS = "org.apache.kafka.common.security"


def certificate() -> tuple[str, str]:
    """A key (PKCS 8) and a certificate of 127.0.0.1, signed by itself, both PEM."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private.decode(), made.public_bytes(pem).decode()


@pytest.fixture(scope="module")
def secured(kafka_address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, Path]]:
    """A broker with TLS + SASL and plain SASL listeners; user alice, password secret."""
    folder = tmp_path_factory.mktemp("secured")
    key, chain = certificate()
    (folder / "ca.pem").write_text(chain)
    (folder / "server.pem").write_text(key + chain)
    plain, tls, sasl, controller = (broker.free_port() for _ in range(4))
    extra = {
        "listeners": f"PLAINTEXT://127.0.0.1:{plain},TLS://127.0.0.1:{tls},SASL://127.0.0.1:{sasl},"
        f"CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{plain},TLS://127.0.0.1:{tls},SASL://127.0.0.1:{sasl}",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,"
        "TLS:SASL_SSL,SASL:SASL_PLAINTEXT",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(folder / "server.pem"),
    }
    for listener in ("tls", "sasl"):
        extra[f"listener.name.{listener}.sasl.enabled.mechanisms"] = "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"
        extra[f"listener.name.{listener}.plain.sasl.jaas.config"] = (
            f'{JAAS}.plain.PlainLoginModule required user_alice="secret";'
        )
        for size in (256, 512):
            extra[f"listener.name.{listener}.scram-sha-{size}.sasl.jaas.config"] = (
                f"{JAAS}.scram.ScramLoginModule required;"
            )
    broker.start(folder / "broker", plain, brief=True, extra=extra)
    admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{plain}"})
    for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
        change = UserScramCredentialUpsertion("alice", ScramCredentialInfo(mechanism, 4_096), b"secret")
        admin.alter_user_scram_credentials([change])["alice"].result(30)
    del admin
    yield f"kafka://127.0.0.1:{tls}", f"kafka://127.0.0.1:{sasl}", folder / "ca.pem"
    broker.stop(folder / "broker")


@pytest.mark.parametrize("reader", ["confluent", "columnar"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
@pytest.mark.parametrize("protocol", ["SASL_SSL", "SASL_PLAINTEXT"])
def test_records_go_through(
    secured: tuple[str, str, Path],
    reader: str,
    mechanism: str,
    protocol: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tls, sasl, ca = secured
    monkeypatch.setenv("HANSE_KAFKA_SASL_PASSWORD", "secret")
    address = tls if protocol == "SASL_SSL" else sasl
    options = f"security.protocol={protocol}&sasl.mechanisms={mechanism}&sasl.username=alice&reader={reader}"
    log = KafkaLog(kafka_settings(f"{address}?{options}&ssl.ca.location={ca}"))
    name = f"secured.{reader}-{mechanism}-{protocol}".lower()
    log.create_topic(TopicSpec(name, partitions=1))
    log.produce(name, [Record(b"%d" % n) for n in range(10)])
    assert log.read(name, {0: 0}, timeout_ms=10_000).rows.num_rows == 10
    log.close()


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
def test_a_wrong_password_is_named_by_the_columnar_reader(
    secured: tuple[str, str, Path], mechanism: str
) -> None:
    from hanse.adapters.kafka.wire import Connection

    host, port = secured[1].removeprefix("kafka://").split(":")
    options = f"security.protocol=SASL_PLAINTEXT&sasl.mechanisms={mechanism}&sasl.username=alice"
    with pytest.raises(LogError, match="credentials"):
        Connection(kafka_settings(f"{secured[1]}?{options}&sasl.password=wrong"), host, int(port))


def test_an_unknown_certificate_is_refused_by_the_columnar_reader(secured: tuple[str, str, Path]) -> None:
    from hanse.adapters.kafka.wire import Connection

    host, port = secured[0].removeprefix("kafka://").split(":")
    with pytest.raises(LogError, match="cannot be reached") as caught:
        Connection(kafka_settings(f"{secured[0]}?security.protocol=SASL_SSL"), host, int(port))
    assert "certificate" in str(caught.value)
