"""Bytes of text files as lines, whatever their encoding and however they are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async._protocol.sources.line_decoder import LineDecoder
from gradient_async.errors import ConfigurationError

LINES = ["Wie heißt die Straße?", "", "日本の首都は", "a\tb"]
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-32"]


def decode(data: bytes, size: int) -> list[str]:
    decoder = LineDecoder("q.txt")
    lines = [line for at in range(0, len(data), size) for line in decoder.feed(data[at : at + size])]
    lines += decoder.feed_eof()
    assert decoder.number == len(lines)
    return lines


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_lines_survive_any_encoding_and_split(encoding: str, end: str, size: int) -> None:
    assert decode(end.join(LINES).encode(encoding), size) == LINES
    assert decode((end.join(LINES) + end).encode(encoding), size) == LINES


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff"])
def test_both_byte_orders_are_read(mark: bytes) -> None:
    encoding = "utf-16-le" if mark == b"\xff\xfe" else "utf-16-be"
    assert decode(mark + "ä\nb".encode(encoding), 3) == ["ä", "b"]


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\ufeff")), st.integers(1, 9))
def test_any_text_is_split_at_line_feeds_only(text: str, size: int) -> None:
    expected = text.split("\n")
    assert decode(text.encode(), size) == (expected if expected[-1] else expected[:-1])


@pytest.mark.parametrize(
    ("data", "line", "problem"),
    [
        ("Plain\nWie heißt".encode("latin-1"), 2, "not UTF-8 at byte 8"),
        ("Plain\nWie heißt\n".encode("cp1252"), 2, "not UTF-8"),
        ("one\ntwo".encode("utf-16-le"), 1, "NUL"),
        (b"one\n\0\0\0", 2, "NUL"),
        (b"\xff\xfea", 1, "byte order mark"),
        ("日本".encode("shift-jis"), 1, "not UTF-8"),
        (b"PK\x03\x04\x14\x00\x08\x08", 1, "NUL"),
    ],
)
@pytest.mark.parametrize("size", [1, 1000])
def test_other_bytes_are_refused_with_their_line(data: bytes, line: int, problem: str, size: int) -> None:
    with pytest.raises(ConfigurationError, match=rf"q\.txt: line {line} .*{problem}"):
        decode(data, size)


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"])
def test_an_empty_file_has_no_lines(data: bytes) -> None:
    assert decode(data, 1) == []
