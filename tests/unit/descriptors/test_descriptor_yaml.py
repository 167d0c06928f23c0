"""YAML from outside: values, lines, and what is refused."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanse.descriptors import yaml
from hanse.descriptors.problem import Invalid

PATH = Path("product.yaml")


def refused(text: str) -> tuple[str, int | None]:
    with pytest.raises(Invalid) as caught:
        yaml.parse(text, PATH)
    return caught.value.problem.what, caught.value.problem.line


def test_values_of_the_core_schema() -> None:
    text = (
        "a: 1\nb: 1.5\nc: no\nd: 2026-01-01\ne: ~\nf: true\ng: 'true'\nh: 0x10\ni: [x, {y: z}]\nj: |\n  1\n"
    )
    assert yaml.parse(text, PATH).data == {
        "a": 1,
        "b": 1.5,
        "c": "no",
        "d": "2026-01-01",
        "e": None,
        "f": True,
        "g": "true",
        "h": "0x10",
        "i": ["x", {"y": "z"}],
        "j": "1\n",
    }


def test_every_value_has_its_line() -> None:
    document = yaml.parse("a:\n  - b: 1\n    c: 2\n  - d: 3\n", PATH)
    assert document.line("a", 0, "c") == 3
    assert document.line("a", 1, "d") == 4
    assert document.line("a", 1, "unknown", "deeper") == 4


@pytest.mark.parametrize(
    ("text", "what", "line"),
    [
        ("a: 1\na: 2\n", "the key 'a' appears twice", 2),
        ("a: &x [1]\nb: *x\n", "anchors and aliases are not allowed", 1),
        ("a: *x\n", "anchors and aliases are not allowed", 1),
        ("a: !!python/object:os.system x\n", "tags are not allowed", 1),
        ("a: 1\n---\nb: 1\n", "the file holds more than one document", 2),
        ("- 1\n", "the file holds no mapping", 1),
        ("a: [1\n", "the file is not valid YAML", 2),
        ("a:\n\t- 1\n", "the file is not valid YAML", 2),
        ("? [a]\n: 1\n", "a key must be a plain text", 1),
        ("", "the file holds no mapping", 1),
        ("a: " + "[" * 100 + "]" * 100, "the file is nested too deeply", 1),
    ],
)
def test_refused(text: str, what: str, line: int) -> None:
    assert refused(text) == (what, line)


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "product.yaml"
    path.write_text("a: " + "x" * yaml.MAX_BYTES, encoding="utf-8")
    with pytest.raises(Invalid, match="too large"):
        yaml.read(path)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "product.yaml"
    path.write_bytes(b"a: \xff\xfe")
    with pytest.raises(Invalid, match="not UTF-8"):
        yaml.read(path)


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_written_and_read_again_nothing_is_lost(data: dict[str, object]) -> None:
    assert yaml.parse(yaml.dump(data), PATH).data == data
