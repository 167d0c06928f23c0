"""The columnar reader against brokers that move leaders, break connections and talk nonsense."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from crc32c import crc32c

from hanse.adapters.kafka.columnar import ColumnarReader
from hanse.adapters.kafka.settings import kafka_settings
from hanse.adapters.kafka.wire import Connection
from hanse.errors import HistoryLost, LogError, UnknownTopic


def text(value: str) -> bytes:
    return struct.pack(">h", len(value)) + value.encode()


def one_batch(base: int, count: int) -> bytes:
    """Records without key or headers, whose value is their offset in one digit."""
    body = b"".join(bytes([18 - 2, 0, 0, 2 * n, 1, 4]) + b"%02d" % (base + n) + b"\0" for n in range(count))
    after_crc = struct.pack(">hiqqqhii", 0, count - 1, 1_000, 1_000, -1, 0, 0, count) + body
    head = struct.pack(">ibI", 0, 2, crc32c(after_crc))
    return struct.pack(">qi", base, len(head) + len(after_crc)) + head + after_crc


class Cluster:
    """Two brokers in threads; `leader` leads the only partition, which holds `end` records."""

    def __init__(self) -> None:
        self.leader, self.end, self.fetch_version = 0, 10, 11
        self.errors: list[int] = []
        self.drop = 0
        self.fetches: list[int] = []
        self.topic = "a.t"
        self.servers = [Server(("127.0.0.1", 0), Handler) for _ in range(2)]
        for node, server in enumerate(self.servers):
            server.cluster, server.node = self, node
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()

    def address(self, options: str = "") -> str:
        ports = [s.server_address[1] for s in self.servers]
        return f"kafka://127.0.0.1:{ports[0]},127.0.0.1:{ports[1]}{options}"

    def close(self) -> None:
        for server in self.servers:
            server.shutdown()
            server.server_close()


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    cluster: Cluster
    node: int


class Handler(socketserver.BaseRequestHandler):
    HEADER: ClassVar = struct.Struct(">ihhi")

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while self.one():
                pass

    def one(self) -> bool:
        request: socket.socket = self.request
        head = request.recv(14, socket.MSG_WAITALL)
        if len(head) < 14:
            return False
        size, api, version, number = self.HEADER.unpack(head[:12])
        body = request.recv(size - 10, socket.MSG_WAITALL)
        assert isinstance(self.server, Server)
        cluster = self.server.cluster
        if cluster.drop and api == 1:
            cluster.drop -= 1
            return False
        answer = {18: self.versions, 3: self.metadata, 1: self.fetch}[api](cluster, version, body)
        answer = struct.pack(">i", number) + answer
        request.sendall(struct.pack(">i", len(answer)) + answer)
        return True

    def versions(self, cluster: Cluster, version: int, body: bytes) -> bytes:
        known = [(1, 0, cluster.fetch_version), (3, 0, 12), (18, 0, 3)]
        return struct.pack(">hi", 0, len(known)) + b"".join(struct.pack(">hhh", *k) for k in known)

    def metadata(self, cluster: Cluster, version: int, body: bytes) -> bytes:
        out = struct.pack(">ii", 0, 2)
        for node, server in enumerate(cluster.servers):
            out += struct.pack(">i", node) + text("127.0.0.1") + struct.pack(">i", server.server_address[1])
            out += struct.pack(">h", -1)
        out += struct.pack(">hi", -1, 0) + struct.pack(">i", 1)
        known = cluster.topic == "a.t"
        out += struct.pack(">h", 0 if known else 3) + text("a.t") + b"\0" + struct.pack(">i", int(known))
        if known:
            out += struct.pack(">hii", 0, 0, cluster.leader) + struct.pack(">iiii", 1, 0, 1, 0)
        return out

    def fetch(self, cluster: Cluster, version: int, body: bytes) -> bytes:
        assert version == cluster.fetch_version
        assert isinstance(self.server, Server)
        cluster.fetches.append(self.server.node)
        after_topic = body.index(b"a.t") + 3 + 4 + 4 + (4 if version >= 9 else 0)
        (offset,) = struct.unpack_from(">q", body, after_topic)
        error = 6 if self.server.node != cluster.leader else 0
        if cluster.errors:
            error = cluster.errors.pop(0)
        records = b"" if error or offset >= cluster.end else one_batch(offset, min(4, cluster.end - offset))
        out = struct.pack(">i", 0) + (struct.pack(">hi", 0, 0) if version >= 7 else b"")
        out += struct.pack(">i", 1) + text("a.t") + struct.pack(">i", 1)
        out += struct.pack(">ihqq", 0, error, cluster.end, cluster.end)
        out += (struct.pack(">q", 0) if version >= 5 else b"") + struct.pack(">i", -1)
        out += struct.pack(">i", -1) if version >= 11 else b""
        return out + struct.pack(">i", len(records)) + records


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    made = Cluster()
    yield made
    made.close()


def values(reader: ColumnarReader, until: int) -> list[bytes]:
    got: list[bytes] = []
    deadline = time.monotonic() + 15
    while reader.positions[0] < until and time.monotonic() < deadline:
        got += reader.read(100, 200, dict).rows.column("value").to_pylist()
    return got


@pytest.mark.parametrize("version", [4, 5, 7, 9, 11])
def test_every_known_version_of_fetch_is_spoken(cluster: Cluster, version: int) -> None:
    cluster.fetch_version = version
    reader = ColumnarReader(kafka_settings(cluster.address(), {}), "a.t", {0: 0})
    assert values(reader, 10) == [b"%02d" % n for n in range(10)]
    reader.close()


def test_a_leader_that_moves_is_followed(cluster: Cluster) -> None:
    reader = ColumnarReader(kafka_settings(cluster.address(), {}), "a.t", {0: 0})
    assert values(reader, 10) == [b"%02d" % n for n in range(10)]
    cluster.leader, cluster.end = 1, 20
    assert values(reader, 20) == [b"%02d" % n for n in range(10, 20)]
    assert set(cluster.fetches) == {0, 1}
    reader.close()


def test_broken_connections_and_elections_lose_and_double_nothing(cluster: Cluster) -> None:
    cluster.drop, cluster.errors = 2, [5, 74, 6]
    reader = ColumnarReader(kafka_settings(cluster.address(), {}), "a.t", {0: 0})
    assert values(reader, 10) == [b"%02d" % n for n in range(10)]
    cluster.drop, cluster.errors, cluster.end = 1, [], 17
    assert values(reader, 17) == [b"%02d" % n for n in range(10, 17)]
    reader.close()


def test_a_bootstrap_server_that_is_down_is_passed_over(cluster: Cluster) -> None:
    cluster.leader = 1
    cluster.servers[0].shutdown()
    cluster.servers[0].server_close()
    reader = ColumnarReader(kafka_settings(cluster.address(), {}), "a.t", {0: 0})
    assert values(reader, 10) == [b"%02d" % n for n in range(10)]
    reader.close()


def test_errors_of_a_partition_are_named(cluster: Cluster) -> None:
    for code, kind in ((1, HistoryLost), (29, LogError)):
        cluster.errors = [code]
        reader = ColumnarReader(kafka_settings(cluster.address(), {}), "a.t", {0: 3})
        with pytest.raises(kind):
            reader.read(10, 100, dict)
        reader.close()
    cluster.topic = "another"
    reader = ColumnarReader(kafka_settings(cluster.address(), {}), "a.t", {0: 3})
    with pytest.raises(UnknownTopic):
        reader.read(10, 100, dict)
    reader.close()


def test_a_broker_that_is_too_old_is_named(cluster: Cluster) -> None:
    cluster.fetch_version = 3
    reader = ColumnarReader(kafka_settings(cluster.address(), {}), "a.t", {0: 0})
    with pytest.raises(LogError, match="no version"):
        reader.read(10, 100, dict)
    reader.close()


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0\0\0\x06\0\0\0\x01\0\0", b"\xff" * 40, b""]
)
def test_a_server_that_is_no_broker_is_one_error(answer: bytes) -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        connection.recv(1_000)
        connection.sendall(answer)
        connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    port: Any = listener.getsockname()[1]
    with pytest.raises(LogError):
        Connection(kafka_settings(f"kafka://127.0.0.1:{port}", {}), "127.0.0.1", port, timeout_s=2)
    thread.join()
    listener.close()
