"""Results that are stored compressed, in any blocks."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async import ProtocolError
from gradient_async._protocol.batch.content_coding import ContentUnpacker

LINES = b"".join(b'{"custom_id": "r%d"}\n' % number for number in range(200))


def unpack(stored: bytes, coding: str = "", size: int = 1000) -> bytes:
    unpacker, content = ContentUnpacker(), b""
    for start in range(0, len(stored), size):
        data = unpacker.feed(stored[start : start + size], coding)
        while data:
            content += data
            data = unpacker.read_more()
    return content + unpacker.feed_eof()


@pytest.mark.parametrize("coding", ["", "identity", "utf-8", "UTF8", "aws-chunked", "gzip", "aws-chunked,gzip", "x"])
def test_plain_bytes_stay_as_they_are_whatever_the_header_says(coding: str) -> None:
    assert unpack(LINES, coding) == LINES


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "aws-chunked, gzip", "", "utf-8"])
def test_gzip_is_unpacked_whatever_the_header_says(coding: str) -> None:
    assert unpack(gzip.compress(LINES), coding) == LINES


def test_zlib_is_unpacked_under_its_header_only() -> None:
    assert unpack(zlib.compress(LINES), "deflate") == LINES
    assert unpack(zlib.compress(LINES), "") == zlib.compress(LINES)


@pytest.mark.parametrize("coding", ["br", "zstd", "aws-chunked,br"])
def test_another_compression_is_an_error_that_names_it(coding: str) -> None:
    with pytest.raises(ProtocolError, match=coding.rpartition(",")[2]):
        unpack(b"\x1b\x00\x00", coding)


@pytest.mark.parametrize(
    "stored",
    [gzip.compress(LINES)[:-9], gzip.compress(LINES) + b"junk", b"\x1f\x8bnonsense"],
    ids=["cut short", "more behind it", "no gzip"],
)
def test_a_damaged_file_is_an_error(stored: bytes) -> None:
    with pytest.raises(ProtocolError):
        unpack(stored, "gzip")


def test_a_small_block_that_becomes_huge_comes_in_bounded_steps() -> None:
    unpacker, total = ContentUnpacker(), 0
    data = unpacker.feed(gzip.compress(bytes(20_000_000)), "gzip")
    while data:
        assert len(data) <= 1_048_576
        total += len(data)
        data = unpacker.read_more()
    assert total == 20_000_000


@pytest.mark.parametrize("stored", [b"", b"{", gzip.compress(b"")], ids=["nothing", "a byte", "empty gzip"])
def test_a_tiny_file_is_read(stored: bytes) -> None:
    assert unpack(stored) == (b"{" if stored == b"{" else b"")


@given(parts=st.lists(st.binary(max_size=300), max_size=4), size=st.integers(1, 50))
def test_any_members_in_any_blocks_give_their_content(parts: list[bytes], size: int) -> None:
    assert unpack(b"".join(map(gzip.compress, parts)), "gzip", size) == b"".join(parts)
