"""The HTTP client under the port's contract, against our own server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.schema_registry.registry_contract import SchemaRegistryContract, record
from hanse.errors import ConfigError, SchemaError
from hanse.registry.client import RegistryClient
from helpers.live_registry import live_registry


class TestRegistryClient(SchemaRegistryContract):
    @pytest.fixture
    def registry(self, tmp_path: Path) -> Iterator[RegistryClient]:
        with live_registry(tmp_path) as address:
            client = RegistryClient(address)
            yield client
            client.close()


def test_client_survives_a_restart_of_the_server(tmp_path: Path) -> None:
    with live_registry(tmp_path) as address:
        client = RegistryClient(address)
        assert client.subjects() == []
        client._local.connection.sock.shutdown(2)  # what a server does that drops idle connections
        assert client.register("a-value", record(("id", "string"))).version == 1
    with pytest.raises(SchemaError, match="does not answer"):
        client.subjects()


def test_answers_that_are_not_a_registrys(tmp_path: Path) -> None:
    with live_registry(tmp_path) as address:
        client = RegistryClient(address + "/nowhere")
        with pytest.raises(SchemaError, match="refused"):
            client.subjects()


@pytest.mark.parametrize("address", ["ftp://x", "http://", "registry:8081", ""])
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(ConfigError):
        RegistryClient(address)


def test_a_registry_that_tells_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Older registries answer a registration with the id alone, and do not list the uses of an id."""
    with live_registry(tmp_path) as address:
        client = RegistryClient(address)
        real = client._call

        def less(method: str, path: str, body: object = None) -> object:
            if path.startswith("/schemas/ids/") and path.endswith("/versions"):
                return real(method, "/nowhere")
            answer = real(method, path, body)
            return {"id": answer["id"]} if method == "POST" and path.endswith("/versions") else answer

        monkeypatch.setattr(client, "_call", less)
        made = client.register("a-value", record(("id", "string")))
        assert (made.subject, made.version) == ("a-value", 1)
        assert client.by_id(made.id).schema == made.schema
        client.close()
