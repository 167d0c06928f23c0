"""Kafka's protocol, as far as reading needs it: versions, metadata, fetch, TLS and SASL.

Specification: kafka.apache.org/protocol. Versions without tagged fields are used: ApiVersions 0,
Metadata 4, Fetch 4 to 11, SaslHandshake 1, SaslAuthenticate 0.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import socket
import ssl
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from hanse.adapters.kafka.batches import Aborted
from hanse.adapters.kafka.settings import KafkaSettings
from hanse.errors import ConfigError, LogError

FETCH, METADATA, SASL_HANDSHAKE, VERSIONS, SASL_AUTHENTICATE = 1, 3, 17, 18, 36
_MAX_RESPONSE = 256 * 1024 * 1024
_READ_COMMITTED = 1


class Lost(LogError):
    """The connection broke: connect again after a moment."""


class Cursor:
    """Reads a response field by field."""

    def __init__(self, data: memoryview) -> None:
        self.data = data
        self.at = 0

    def take(self, form: struct.Struct) -> tuple[int, ...]:
        """The next fields."""
        try:
            values = form.unpack_from(self.data, self.at)
        except struct.error as error:
            raise LogError("a response of the broker is too short", got=str(error)) from error
        self.at += form.size
        return values

    def int8(self) -> int:
        """One byte."""
        return self.take(_INT8)[0]

    def int16(self) -> int:
        """Two bytes."""
        return self.take(_INT16)[0]

    def int32(self) -> int:
        """Four bytes."""
        return self.take(_INT32)[0]

    def count(self) -> int:
        """An array's length; null is empty."""
        return max(0, self.int32())

    def bytes(self, size: int) -> memoryview:
        """So many bytes; -1 is none."""
        size = max(0, size)
        if self.at + size > len(self.data):
            raise LogError("a response of the broker is too short")
        self.at += size
        return self.data[self.at - size : self.at]

    def string(self) -> str:
        """A string; null is empty."""
        return str(self.bytes(self.int16()), "utf-8")


_INT8, _INT16, _INT32 = struct.Struct(">b"), struct.Struct(">h"), struct.Struct(">i")
_PARTITION_4 = struct.Struct(">ihqq")


def _string(text: str | None) -> bytes:
    if text is None:
        return _INT16.pack(-1)
    data = text.encode()
    return _INT16.pack(len(data)) + data


@dataclass(frozen=True, slots=True)
class Part:
    """What a fetch brought for a partition; `end` is where committed records end."""

    partition: int
    error: int
    end: int
    aborted: list[Aborted]
    records: memoryview


@dataclass(frozen=True, slots=True)
class Metadata:
    """Brokers by id, and for each partition of a topic its leader (-1: none) with an error code."""

    brokers: dict[int, tuple[str, int]]
    error: int
    leaders: dict[int, int] = field(default_factory=dict[int, int])


class Connection:
    """One connection to a broker, authenticated; a request at a time, its response later."""

    def __init__(self, settings: KafkaSettings, host: str, port: int, timeout_s: float = 10.0) -> None:
        self.place = f"{host}:{port}"
        self._options = settings.options
        self._number = 0
        self._timeout = timeout_s
        try:
            self._socket = socket.create_connection((host, port), timeout=timeout_s)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._secure(host)
        except OSError as error:
            raise Lost("the broker cannot be reached", where=self.place, got=str(error)) from error
        try:
            self.fetch_version = self._negotiated()
            self._authenticate()
        except BaseException:
            self.close()
            raise

    def _secure(self, host: str) -> None:
        if self._protocol() not in {"SSL", "SASL_SSL"}:
            return
        options = self._options
        context = ssl.create_default_context(cafile=options.get("ssl.ca.location"))
        if certificate := options.get("ssl.certificate.location"):
            context.load_cert_chain(
                certificate, options.get("ssl.key.location"), options.get("ssl.key.password")
            )
        if options.get("ssl.endpoint.identification.algorithm", "https") == "none":
            context.check_hostname = False
        if options.get("enable.ssl.certificate.verification", "true") == "false":
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        self._socket = context.wrap_socket(self._socket, server_hostname=host)

    def _protocol(self) -> str:
        return self._options.get("security.protocol", "PLAINTEXT").upper()

    def send(self, api: int, version: int, body: bytes) -> None:
        """Send a request."""
        self._number += 1
        frame = struct.pack(">hhi", api, version, self._number) + _string("hanse") + body
        try:
            self._socket.sendall(_INT32.pack(len(frame)) + frame)
        except OSError as error:
            raise Lost("the broker went away", where=self.place, got=str(error)) from error

    def receive(self, wait_s: float = 0.0) -> Cursor:
        """The response to the last request, within `wait_s` and a bit."""
        deadline = time.monotonic() + wait_s + self._timeout
        (size,) = _INT32.unpack(self._exactly(4, deadline))
        if not 4 <= size <= _MAX_RESPONSE:
            raise LogError("a response of the broker has no believable size", where=self.place, got=str(size))
        cursor = Cursor(self._exactly(size, deadline))
        if cursor.int32() != self._number:
            raise Lost("the broker answers another request", where=self.place)
        return cursor

    def _exactly(self, size: int, deadline: float) -> memoryview:
        data = memoryview(bytearray(size))
        got = 0
        try:
            while got < size:
                self._socket.settimeout(max(0.01, deadline - time.monotonic()))
                more = self._socket.recv_into(data[got:])
                if more == 0:
                    raise Lost("the broker closed the connection", where=self.place)
                got += more
        except OSError as error:
            raise Lost("the broker went away", where=self.place, got=str(error)) from error
        return data

    def _negotiated(self) -> int:
        """The highest version of Fetch that both know."""
        self.send(VERSIONS, 0, b"")
        cursor = self.receive()
        error = cursor.int16()
        known = {
            api: (low, high)
            for api, low, high in (cursor.take(struct.Struct(">hhh")) for _ in range(cursor.count()))
        }
        low, high = known.get(FETCH, (0, 0))
        meta_low, meta_high = known.get(METADATA, (0, 0))
        version = min(11, high)
        if error or version < max(4, low) or not meta_low <= 4 <= meta_high:
            raise LogError(
                "the broker speaks no version of Kafka's protocol that the columnar reader knows",
                where=self.place,
                expected="Fetch 4 to 11, Metadata 4",
                got=f"Fetch {low} to {high}, Metadata {meta_low} to {meta_high}",
                fix="read with `reader=confluent`",
            )
        return version

    def _authenticate(self) -> None:
        if not self._protocol().startswith("SASL_"):
            return
        options = self._options
        mechanism = options.get("sasl.mechanisms") or options.get("sasl.mechanism") or ""
        user, password = options.get("sasl.username", ""), options.get("sasl.password", "")
        if mechanism not in {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}:
            raise ConfigError(
                "the columnar reader does not know this SASL mechanism",
                expected="PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
                got=mechanism,
                fix="read with `reader=confluent`",
            )
        self.send(SASL_HANDSHAKE, 1, _string(mechanism))
        if error := self.receive().int16():
            raise LogError(
                "the broker refuses the SASL mechanism", where=self.place, got=f"{mechanism}: {error}"
            )
        if mechanism == "PLAIN":
            self._sasl(f"\0{user}\0{password}".encode())
        else:
            self._scram(mechanism.removeprefix("SCRAM-").replace("-", "").lower(), user, password)

    def _sasl(self, data: bytes) -> bytes:
        self.send(SASL_AUTHENTICATE, 0, _INT32.pack(len(data)) + data)
        cursor = self.receive()
        error, message = cursor.int16(), cursor.string()
        if error:
            raise LogError("the broker refuses the credentials", where=self.place, got=message)
        return bytes(cursor.bytes(cursor.int32()))

    def _scram(self, algorithm: str, user: str, password: str) -> None:
        """RFC 5802, without channel binding."""
        nonce = secrets.token_urlsafe(24)
        name = user.replace("=", "=3D").replace(",", "=2C")
        first = f"n={name},r={nonce}"
        server_first = self._sasl(f"n,,{first}".encode()).decode()
        fields = dict(part.split("=", 1) for part in server_first.split(",") if "=" in part)
        rounds = int(fields.get("i", "0"))
        if not fields.get("r", "").startswith(nonce) or not 4_096 <= rounds <= 1_000_000:
            raise LogError("the broker's SCRAM challenge is not believable", where=self.place)
        salt = base64.b64decode(fields["s"])
        salted = hashlib.pbkdf2_hmac(algorithm, password.encode(), salt, rounds)
        client = hmac.digest(salted, b"Client Key", algorithm)
        bare = f"c=biws,r={fields['r']}"
        signed = f"{first},{server_first},{bare}".encode()
        signature = hmac.digest(hashlib.new(algorithm, client).digest(), signed, algorithm)
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(client, signature, strict=True))).decode()
        final = self._sasl(f"{bare},p={proof}".encode()).decode()
        expected = hmac.digest(hmac.digest(salted, b"Server Key", algorithm), signed, algorithm)
        if not hmac.compare_digest(final, "v=" + base64.b64encode(expected).decode()):
            raise LogError("the broker cannot prove that it knows the password", where=self.place)

    def metadata(self, topic: str) -> Metadata:
        """Who leads which partition of the topic. Never makes a topic."""
        self.send(METADATA, 4, _INT32.pack(1) + _string(topic) + b"\0")
        cursor = self.receive()
        cursor.int32()
        brokers: dict[int, tuple[str, int]] = {}
        for _ in range(cursor.count()):
            node, host, port = cursor.int32(), cursor.string(), cursor.int32()
            cursor.string()
            brokers[node] = (host, port)
        cursor.string()
        cursor.int32()
        result = Metadata(brokers, 3)
        for _ in range(cursor.count()):
            error = cursor.int16()
            cursor.string()
            cursor.int8()
            result = Metadata(brokers, error)
            for _ in range(cursor.count()):
                cursor.int16()
                partition, leader = cursor.int32(), cursor.int32()
                cursor.bytes(4 * cursor.count())
                cursor.bytes(4 * cursor.count())
                result.leaders[partition] = leader
        return result

    def request_fetch(
        self, topic: str, offsets: Mapping[int, int], wait_ms: int, sizes: tuple[int, int]
    ) -> None:
        """Ask for records of partitions; `sizes` are the most bytes in all and for a partition."""
        version = self.fetch_version
        body = struct.pack(">iiiib", -1, wait_ms, 1, sizes[0], _READ_COMMITTED)
        if version >= 7:
            body += struct.pack(">ii", 0, -1)
        body += _INT32.pack(1) + _string(topic) + _INT32.pack(len(offsets))
        for partition, offset in offsets.items():
            body += _INT32.pack(partition)
            body += _INT32.pack(-1) if version >= 9 else b""
            body += struct.pack(">q", offset)
            body += struct.pack(">q", -1) if version >= 5 else b""
            body += _INT32.pack(sizes[1])
        body += _INT32.pack(0) if version >= 7 else b""
        body += _string("") if version >= 11 else b""
        self.send(FETCH, version, body)

    def receive_fetch(self, wait_s: float) -> list[Part]:
        """The answer to `request_fetch`."""
        cursor = self.receive(wait_s)
        version = self.fetch_version
        cursor.int32()
        if version >= 7:
            error = cursor.int16()
            cursor.int32()
            if error:
                raise LogError("the broker refuses to be read", where=self.place, got=f"error {error}")
        parts: list[Part] = []
        for _ in range(cursor.count()):
            cursor.string()
            parts += [self._part(cursor, version) for _ in range(cursor.count())]
        return parts

    def _part(self, cursor: Cursor, version: int) -> Part:
        partition, error, _, end = cursor.take(_PARTITION_4)
        if version >= 5:
            cursor.take(struct.Struct(">q"))
        pair = struct.Struct(">qq")
        aborted = [Aborted(*cursor.take(pair)) for _ in range(cursor.count())]
        if version >= 11:
            cursor.int32()
        return Part(partition, error, end, aborted, cursor.bytes(cursor.int32()))

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()
