"""The event-stream parser against the WHATWG text."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async import ProtocolError, ServerSentEvent, SSEParser
from gradient_async._protocol.stream.sse import begins_event_stream


def events(*blocks: bytes, **options: int) -> list[ServerSentEvent]:
    parser = SSEParser(**options)
    found = [event for block in blocks for event in parser.feed(block)]
    return found + parser.feed_eof()


def data(*blocks: bytes) -> list[str]:
    return [event.data for event in events(*blocks)]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"data: a\n\n", ["a"]),
        (b"data:a\n\n", ["a"]),
        (b"data:  a\n\n", [" a"]),
        (b"data\n\n", [""]),
        (b"data\ndata\n\n", ["\n"]),
        (b"data: a\ndata: b\n\n", ["a\nb"]),
        (b"data: a\r\n\r\n", ["a"]),
        (b"data: a\r\r", ["a"]),
        (b"data: a\r\n\rdata: b\n\r\n", ["a", "b"]),
        (b"data: a\n\ndata: b", ["a"]),
        (b"data: a\n", []),
        (b"\n\n\n", []),
        (b": comment\n\n", []),
        (b": comment\ndata: a\n: more\n\n", ["a"]),
        (b"event: x\n\n", []),
        (b"id: 1\n\ndata: a\n\n", ["a"]),
        (b"DATA: a\n\n", []),
        (b"data : a\n\n", []),
        (b" data: a\n\n", []),
        (b"\xef\xbb\xbfdata: a\n\n", ["a"]),
        (b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\ndata: b\n\n", ["b"]),
        (b"data: a\n\n\xef\xbb\xbfdata: b\n\n", ["a"]),
        (b"data: \xff\n\n", ["\ufffd"]),
        (b"data: \xe2\x82\n\n", ["\ufffd"]),
        ("data: a\u2028b\x85c\x0bd\n\n".encode(), ["a\u2028b\x85c\x0bd"]),
        (b'data: {"a": "b:c"}\n\n', ['{"a": "b:c"}']),
    ],
)
def test_a_body_gives_the_events_of_the_standard(body: bytes, expected: list[str]) -> None:
    assert data(body) == expected


def test_an_event_carries_its_type_id_and_retry() -> None:
    (event,) = events(b"event: ping\nid: 7\nretry: 1500\ndata: x\n\n")
    assert event == ServerSentEvent(event="ping", data="x", id="7", retry=1500)


def test_the_type_does_not_reach_the_next_event_but_the_id_does() -> None:
    _, second = events(b"event: ping\nid: 7\ndata: x\n\ndata: y\n\n")
    assert (second.event, second.id) == ("message", "7")


@pytest.mark.parametrize("line", [b"id: a\0b", b"retry: 12x", b"retry: -1", b"retry:", b"retry: " + b"9" * 5000])
def test_an_unusable_field_is_ignored(line: bytes) -> None:
    (event,) = events(line + b"\ndata: x\n\n")
    assert (event.id, event.retry) == (None, None)


PIECES = [b"data: x", b"data", b"event: e", b"id: 1", b"retry: 5", b": c", b"\n", b"\r", b"\r\n", b"\n\n", b"\xff",
          b"\xef\xbb\xbf", b"\xe2\x82\xac", b"data: [DONE]", b"x"]  # fmt: skip
BODIES = st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=4)), max_size=30).map(b"".join)


@given(BODIES, st.lists(st.integers(0, 200), max_size=8))
def test_any_split_of_the_bytes_gives_the_same_events(body: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    pieces = [body[a:b] for a, b in itertools.pairwise(edges)]
    assert events(*pieces) == events(body)


@given(BODIES)
def test_one_byte_at_a_time_gives_the_same_events(body: bytes) -> None:
    assert events(*(bytes([byte]) for byte in body)) == events(body)


@given(BODIES)
def test_the_events_are_those_of_a_line_by_line_reading(body: bytes) -> None:
    text = body.decode(errors="replace").removeprefix("\ufeff")
    assert data(body) == list(_by_the_letter(re.split("\r\n|\r|\n", text)[:-1]))


def _by_the_letter(lines: list[str]) -> list[str]:
    """The algorithm of the standard, word for word, for data alone."""
    found, buffer = [], ""
    for line in lines:
        if not line:
            if buffer:
                found.append(buffer.removesuffix("\n"))
            buffer = ""
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            buffer += value.removeprefix(" ") + "\n" if name == "data" else ""
    return found


def test_a_line_in_a_hundred_thousand_pieces_is_joined_once() -> None:
    parser = SSEParser()
    pieces = [b"data: ", *[b"x"] * 100_000, b"\n", b"\n"]
    (event,) = [event for piece in pieces for event in parser.feed(piece)]
    assert len(event.data) == 100_000


def test_an_event_of_two_hundred_thousand_lines_arrives_whole() -> None:
    (event,) = events(b"data: x\n" * 200_000 + b"\n")
    assert event.data.count("\n") == 199_999


@pytest.mark.parametrize("body", [b"data: " + b"x" * 200, b"data: " + b"x" * 200 + b"\n\n", b"data: xxxx\n" * 40])
def test_an_event_above_the_cap_raises(body: bytes) -> None:
    with pytest.raises(ProtocolError, match="max_event_bytes"):
        events(body, max_event_bytes=100)


def test_the_cap_is_for_one_event_not_for_the_stream() -> None:
    assert len(events(b"data: xxxx\n\n" * 100 + b": comment\n" * 100, max_event_bytes=100)) == 100


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (b"", None), (b"d", None), (b"data", None), (b"data:", True), (b"data: {", True), (b"event: x", True),
        (b"id:", True), (b"retry: 1", True), (b": ping", True), (b"error: {", True), (b"\xef\xbb", None),
        (b"\xef\xbb\xbf", None), (b"\xef\xbb\xbf: x", True), (b"\r\n\n", None), (b"\n\ndata:", True), (b"\n" * 100, False),
        (b"datab", False), (b"data ", False), (b"{", False), (b"[", False), (b"<html", False), (b"Bad gateway", False),
        (b" data:", False), (b"\xff", False),
    ],
)  # fmt: skip
def test_an_event_stream_is_known_by_its_beginning(start: bytes, expected: bool | None) -> None:
    assert begins_event_stream(start) is expected
