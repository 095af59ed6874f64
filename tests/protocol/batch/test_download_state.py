"""The state of a download over several responses."""

from __future__ import annotations

import pytest

from gradient_async import ProtocolError
from gradient_async._protocol.batch.download_state import DownloadState, read_md5


def test_a_file_in_one_response() -> None:
    state = DownloadState()
    assert state.request_headers() == {"Accept-Encoding": "identity"}
    state.start_response(200, {"Content-Length": "6", "ETag": '"e"'})
    assert state.accept_block(b"abc") == b"abc"
    assert not state.is_complete
    assert state.accept_block(b"def") == b"def"
    assert state.is_complete


def test_the_rest_is_requested_with_range_and_without_if_range() -> None:
    state = DownloadState(3, 6, '"e"')
    assert state.request_headers() == {"Accept-Encoding": "identity", "Range": "bytes=3-"}
    state.start_response(206, {"Content-Range": "bytes 3-5/6", "ETag": '"e"'})
    assert state.accept_block(b"def") == b"def"
    assert state.is_complete


def test_a_host_without_ranges_is_skipped_to_the_offset() -> None:
    state = DownloadState(3, 6)
    state.start_response(200, {"Content-Length": "6"})
    assert state.accept_block(b"ab") == b""
    assert state.accept_block(b"cdef") == b"def"
    assert state.is_complete


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (206, {"Content-Range": "bytes 2-5/6"}),
        (206, {"Content-Range": "bytes 4-5/6"}),
        (206, {"Content-Range": "bytes 3-6/7"}),
        (206, {"Content-Range": "bytes 3-5/6", "ETag": '"other"'}),
        (200, {"Content-Length": "6", "ETag": '"other"'}),
        (200, {"Content-Length": "7"}),
        (206, {}),
        (206, {"Content-Range": "pages 1-2/3"}),
        (206, {"Content-Range": "bytes */6"}),
        (200, {"Content-Length": "2"}),
        (416, {"Content-Range": "bytes */2"}),
    ],
)
def test_another_file_or_another_part_of_it_is_refused(status: int, headers: dict[str, str]) -> None:
    with pytest.raises(ProtocolError):
        DownloadState(3, 6, '"e"').start_response(status, headers)


@pytest.mark.parametrize(
    ("total", "headers"), [(None, {"Content-Range": "bytes */6"}), (6, {}), (6, {"Content-Range": "x"})]
)
def test_a_refused_range_at_the_known_end_completes_the_file(total: int | None, headers: dict[str, str]) -> None:
    state = DownloadState(6, total)
    assert not state.start_response(416, headers)
    assert state.is_complete
    assert state.ended_early


@pytest.mark.parametrize("headers", [{}, {"Content-Range": "bytes */*"}, {"Content-Range": ""}])
def test_a_refused_range_without_a_size_asks_for_the_whole_file(headers: dict[str, str]) -> None:
    state = DownloadState(6, None, '"e"')
    assert not state.start_response(416, headers)
    assert not state.ended_early
    assert state.request_headers() == {"Accept-Encoding": "identity"}
    assert not state.start_response(200, {"Content-Length": "6", "ETag": '"e"'})
    assert state.ended_early


def test_a_whole_file_of_unknown_size_is_counted_to_its_end() -> None:
    state = DownloadState(6, None)
    state.start_response(416, {})
    assert state.start_response(200, {})
    assert state.accept_block(b"abcdef") == b""
    assert state.is_complete


def test_a_whole_file_that_is_longer_goes_on_at_the_offset() -> None:
    state = DownloadState(3, None)
    state.start_response(416, {})
    assert state.start_response(200, {"Content-Length": "5"})
    assert state.accept_block(b"abcde") == b"de"
    assert state.is_complete


@pytest.mark.parametrize(
    "answer", [(416, {}), (200, {"Content-Length": "2"}), (200, {"Content-Length": "6", "ETag": '"o"'})]
)
def test_a_second_refusal_or_another_file_is_an_error(answer: tuple[int, dict[str, str]]) -> None:
    state = DownloadState(6, None, '"e"')
    state.start_response(416, {})
    with pytest.raises(ProtocolError):
        state.start_response(*answer)


MD5 = "d41d8cd98f00b204e9800998ecf8427e"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"ETag": f'"{MD5}"'}, MD5),
        ({"ETag": MD5.upper()}, MD5),
        ({"ETag": f'"{MD5}"', "x-amz-server-side-encryption": "AES256"}, MD5),
        ({"ETag": f'"{MD5}"', "x-amz-server-side-encryption": "aws:kms"}, None),
        ({"ETag": f'"{MD5}"', "x-amz-server-side-encryption-customer-algorithm": "AES256"}, None),
        ({"ETag": f'"{MD5}-7"'}, None),
        ({"ETag": f'W/"{MD5}"'}, None),
        ({"ETag": '"0x8DC"'}, None),
        ({}, None),
    ],
)
def test_the_etag_of_one_piece_is_its_md5(headers: dict[str, str], expected: str | None) -> None:
    assert read_md5(headers) == expected


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ({"ETag": MD5}, {"ETag": MD5}, MD5),
        ({"ETag": MD5}, {}, None),
        ({}, {"ETag": MD5}, None),  # nobody hashed the bytes before
    ],
)
def test_the_md5_counts_if_it_is_known_from_the_first_byte_on(
    first: dict[str, str], second: dict[str, str], expected: str | None
) -> None:
    state = DownloadState()
    state.start_response(200, {"Content-Length": "6", **first})
    state.accept_block(b"abc")
    state.start_response(206, {"Content-Range": "bytes 3-5/6", **second})
    assert state.md5 == expected


def test_more_bytes_than_the_file_has_are_refused() -> None:
    state = DownloadState()
    state.start_response(200, {"Content-Length": "2"})
    with pytest.raises(ProtocolError):
        state.accept_block(b"abc")
