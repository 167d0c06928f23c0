from __future__ import annotations

from pathlib import Path

import pytest

from hanse.domain.tabular import MAX_LINE, moment, read_rows
from hanse.errors import ConfigError


def rows(tmp_path: Path, content: bytes) -> list[tuple[int, str]]:
    """(line, joined values or problem) of a file with the columns a, b, c."""
    path = tmp_path / "in.csv"
    path.write_bytes(b"a,b,c\n" + content)
    return [(r.row.line, r.problem or "|".join(r.values.values())) for r in read_rows(path, ("a", "b", "c"))]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"1,2,3\n4,5,6\n", [(2, "1|2|3"), (3, "4|5|6")]),
        (b"1,2,3\r\n4,5,6", [(2, "1|2|3"), (3, "4|5|6")]),
        (b"1,2,3\n\n4,5,6\n\n", [(2, "1|2|3"), (4, "4|5|6")]),
        (b'1,"a, b",3\n', [(2, "1|a, b|3")]),
        (b'1,"two\nlines",3\n4,5,6\n', [(2, "1|two\nlines|3"), (4, "4|5|6")]),
        (b'1,"say ""hi""",3\n', [(2, '1|say "hi"|3')]),
        (b"1,2\n4,5,6\n", [(2, "wrong number of columns"), (3, "4|5|6")]),
        (b"1,2,3,4\n4,5,6\n", [(2, "wrong number of columns"), (3, "4|5|6")]),
        (b"1,\xff,3\n4,5,6\n", [(2, "not UTF-8"), (3, "4|5|6")]),
        (b'1,"\xff",3\n4,5,6\n', [(2, "not UTF-8"), (3, "4|5|6")]),
        (b'1,"open,3\n4,5,6\n7,8,9\n', [(2, "unclosed quote"), (3, "4|5|6"), (4, "7|8|9")]),
        (b'1,"x"y,3\n4,5,6\n', [(2, "misplaced quote"), (3, "4|5|6")]),
        (b'1,"open,3\n4,5,6\n7,"x",9\n8,8,8\n',
         [(2, "unclosed quote"), (3, "4|5|6"), (4, "7|x|9"), (5, "8|8|8")]),
        (b'1,"a\nb\n4,5,6\n', [(2, "unclosed quote"), (3, "wrong number of columns"), (4, "4|5|6")]),
    ],
)  # fmt: skip
def test_a_broken_line_takes_no_other_with_it(
    tmp_path: Path, content: bytes, expected: list[tuple[int, str]]
) -> None:
    assert rows(tmp_path, content) == expected


def test_a_giant_line_is_set_aside(tmp_path: Path) -> None:
    content = b"1,2," + b"x" * (2 * MAX_LINE) + b"\n4,5,6\n"
    assert rows(tmp_path, content) == [(2, "line too long"), (3, "4|5|6")]


def test_a_quote_left_open_for_very_long_is_a_stray_one(tmp_path: Path) -> None:
    found = rows(tmp_path, b'1,"open,3\n' + b"4,5,6\n" * 2_000)
    assert found[0] == (2, "unclosed quote")
    assert [text for _, text in found[1:]] == ["4|5|6"] * 2_000


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(b"\xef\xbb\xbfa,b\n1,2\n")
    assert next(read_rows(path, ("a",))).values == {"a": "1", "b": "2"}


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"a,b,c,c\n"])
def test_a_file_with_another_header_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="input file") as caught:
        list(read_rows(path, ("a", "b", "c")))
    assert str(path) in str(caught.value)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        list(read_rows(tmp_path / "none.csv", ()))


def test_moments_are_strict() -> None:
    assert moment("") is None
    found = moment("2018-01-31 23:59:59")
    assert found is not None
    assert found.isoformat() == "2018-01-31T23:59:59+00:00"
    for text in ("2018-01-31", "2018-02-30 00:00:00", "yesterday at noon!!", "2018-01-31 23:59:59Z"):
        with pytest.raises(ValueError, match=r"time|day|Invalid"):
            moment(text)
