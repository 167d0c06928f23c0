"""Settings: defaults, file, environment, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from hanse.errors import ConfigError
from hanse.settings import find_root, load_settings


def test_defaults_lie_under_the_root(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, {})
    assert settings.data == tmp_path / ".hanse"
    assert (
        settings.state_path("orders.orders_by_state")
        == tmp_path / ".hanse/state/orders.orders_by_state.duckdb"
    )


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    (tmp_path / "hanse.toml").write_text('port = 9000\nlog = "kafka://a:1"\n')
    assert load_settings(tmp_path, {}).log == "kafka://a:1"
    assert load_settings(tmp_path, {"HANSE_PORT": "9001"}).port == 9001


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("port = ", "not valid TOML"),
        ('prot = "8"', "unknown setting 'prot'"),
        ("port = 99999", "not a number"),
        ("log = [1]", "no plain value"),
        ("port = true", "no plain value"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "hanse.toml").write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        load_settings(tmp_path, {})
    assert "hanse.toml" in str(caught.value)


def test_outside_a_mesh_the_way_in_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="hanse init"):
        find_root(tmp_path)


def test_another_process_gets_the_same_settings(tmp_path: Path) -> None:
    chosen = {
        "HANSE_LOG": "kafka://a:1",
        "HANSE_PORT": "1",
        "HANSE_MEMORY": "2GB",
        "HANSE_BATCH_SECONDS": "0.5",
    }
    settings = load_settings(tmp_path, chosen)
    assert (settings.memory, settings.batch_seconds) == ("2GB", 0.5)
    assert load_settings(tmp_path, settings.environment()) == settings


@pytest.mark.parametrize(
    ("name", "text"),
    [("MEMORY", "much"), ("MEMORY", "0GB"), ("BATCH_SECONDS", "0"), ("BATCH_SECONDS", "soon")],
)
def test_what_is_no_size_or_time_is_named(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_settings(tmp_path, {f"HANSE_{name}": text})
    assert text in str(error.value)
