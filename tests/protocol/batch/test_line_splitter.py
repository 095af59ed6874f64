"""Lines out of blocks."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async._protocol.batch.line_splitter import BOM, LineSplitter
from tests.support.waiting import HANG_SECONDS


def split(data: bytes, cuts: list[int] | None = None) -> list[bytes]:
    splitter, lines, begin = LineSplitter(), [], 0
    for cut in [*sorted(cuts or []), len(data)]:
        lines += splitter.feed(data[begin:cut])
        begin = max(begin, cut)
    return lines + splitter.feed_eof()


@given(st.binary(max_size=200).map(lambda data: data.replace(b"a", b"\n")), st.lists(st.integers(0, 200), max_size=8))
def test_a_cut_anywhere_gives_the_same_lines(data: bytes, cuts: list[int]) -> None:
    expected = data.removeprefix(BOM).split(b"\n")
    if not expected[-1]:
        expected.pop()
    assert split(data, cuts) == expected


@given(
    st.binary(max_size=200).map(lambda data: (BOM + data).replace(b"a", b"\n")),
    st.lists(st.integers(0, 200), max_size=8),
)
def test_lines_taken_one_by_one_are_those_of_the_list(data: bytes, cuts: list[int]) -> None:
    listing, taking, begin = LineSplitter(), LineSplitter(), 0
    for cut in [*sorted(cuts), len(data)]:
        block, begin = data[begin:cut], max(begin, cut)
        assert [line.removesuffix(b"\n") for line in taking.iter_lines(block)] == listing.feed(block)
    assert taking.feed_eof() == listing.feed_eof()


@pytest.mark.parametrize("cuts", [[], [1], [1, 2], [3]])
def test_a_byte_order_mark_alone_is_not_a_line(cuts: list[int]) -> None:
    assert split(BOM, cuts) == []


@given(st.lists(st.text(), max_size=10), st.integers(1, 9))
def test_every_written_line_is_read_as_one_line(texts: list[str], step: int) -> None:
    data = b"".join(json.dumps(text, ensure_ascii=False).encode(errors="replace") + b"\n" for text in texts)
    assert len(split(data, list(range(0, len(data), step)))) == len(texts)


@pytest.mark.parametrize("odd", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\r"])
def test_only_lf_ends_a_line(odd: str) -> None:
    assert split(f"a{odd}b\nc".encode()) == [f"a{odd}b".encode(), b"c"]


@pytest.mark.parametrize("step", [1, 2, 3, 100])
def test_a_byte_order_mark_is_dropped_once(step: int) -> None:
    data = BOM + b"a\n" + BOM + b"b"
    assert split(data, list(range(0, len(data), step))) == [b"a", BOM + b"b"]


def test_a_long_line_in_small_pieces_takes_linear_time() -> None:
    splitter, piece = LineSplitter(), b"x" * 64  # in quadratic time this would copy a terabyte
    began = time.process_time()
    for _ in range(200_000):
        splitter.feed(piece)
    assert splitter.feed(b"\n") == [b"x" * 64 * 200_000]
    assert time.process_time() - began < HANG_SECONDS
