"""Requests to any path, over real sockets."""

import asyncio
import dataclasses
import io
import json
from collections.abc import AsyncIterator
from email import message_from_bytes
from email.policy import HTTP
from pathlib import Path
from typing import Any, TypedDict

import attrs
import msgspec
import pydantic
import pytest

from gradient_async import (
    APIConnectionError,
    APIStatusError,
    AsyncSession,
    ChatCompletion,
    ConfigurationError,
    GradientError,
    InternalServerError,
    NotFoundError,
    ProtocolError,
    RateLimitError,
    RawReply,
    RawStream,
    ResponseDecodeError,
    RetryPolicy,
    ServerSentEvent,
    StreamTruncatedError,
)
from gradient_async.testing import Emulator
from tests.support.raw_server import read_request, run_raw_server

PATH = "/v1/whatever/comes/next"


@attrs.define
class Point:
    """A point, of which the service may say more."""

    x: int
    y: float = 0.0


@dataclasses.dataclass
class Line:
    """A line of points."""

    points: list[Point]


class Named(TypedDict):
    """An object with a name."""

    name: str


class Place(pydantic.BaseModel):
    """A place, as a Pydantic model."""

    name: str
    at: list[str] = []


class Row(msgspec.Struct):
    """A row, as a msgspec struct."""

    id: int
    note: str = ""


@pytest.fixture
async def session(gradient_emulator: Emulator) -> AsyncIterator[AsyncSession]:
    async with AsyncSession("test", base_url=gradient_emulator.url, retry=RetryPolicy(first=0)) as session:
        yield session


def script_json(emulator: Emulator, value: Any, **options: Any) -> None:
    """Let the emulator answer the next request to `PATH` with any JSON value."""
    text = json.dumps(value, separators=(",", ":"))
    emulator.reply(body=text, content_type="application/json", path=PATH, **options)


async def test_a_request_has_key_limits_retries_and_metadata(
    gradient_emulator: Emulator, session: AsyncSession
) -> None:
    gradient_emulator.fail(429, retry_after=0, path=PATH)
    gradient_emulator.reply(body={"ok": [1]}, path=PATH, headers={"x-request-id": "r-1"})
    reply = await session.request("post", PATH, json={"a": None}, params={"n": 2}, headers={"X-A": "1"})
    assert isinstance(reply, RawReply)
    assert (reply.raw, reply.text, reply.meta.attempts, reply.meta.request_id) == ({"ok": [1]}, '{"ok":[1]}', 2, "r-1")
    request = gradient_emulator.requests[-1]
    assert (request.method, request.json, request.headers["X-A"]) == ("POST", {"a": None}, "1")
    assert request.headers["Authorization"] == "Bearer test"
    assert session.limits is not None
    assert session.limits.status().windows[1].used == 2


@pytest.mark.parametrize(
    ("body", "cls", "value"),
    [
        ({"x": 1, "new": 2}, dict, {"x": 1, "new": 2}),
        ([1, 2], list, [1, 2]),
        ([1, 2], list[int], [1, 2]),
        ({"a": [1]}, dict[str, list[int]], {"a": [1]}),
        ({"x": 1}, str, '{"x":1}'),
        ({"x": 1}, bytes, b'{"x":1}'),
        ({"x": 1, "new": {"deep": 2}}, Point, Point(1)),
        ({"points": [{"x": 1, "y": 2, "z": 3}], "more": 1}, Line, Line([Point(1, 2.0)])),
        ({"name": "n", "more": 1}, Named, {"name": "n"}),
        ({"name": "n", "more": 1}, Place, Place(name="n")),
        ([{"name": "n"}], list[Place], [Place(name="n")]),
        ({"id": 1, "more": 1}, Row, Row(1)),
        (7, int, 7),
    ],
)
async def test_a_response_is_cast(
    gradient_emulator: Emulator, session: AsyncSession, body: Any, cls: Any, value: object
) -> None:
    script_json(gradient_emulator, body)
    result: object = await session.request("GET", PATH, cast_to=cls)
    assert result == value
    assert type(result) is type(value)


async def test_a_result_of_ours_has_its_metadata(session: AsyncSession) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    completion = await session.request("POST", "/v1/chat/completions", json=body, cast_to=ChatCompletion)
    assert completion.text
    assert completion.meta.request_id


@pytest.mark.parametrize(
    ("body", "cls", "path"),
    [
        ({"x": "text"}, Point, r"\$\.x"),
        ({}, Point, r"\$\.x"),
        ({"points": [{"x": 1}, {"x": None}]}, Line, r"\$\.points\[1\]\.x"),
        ({"name": 1}, Place, r"\$\.name"),
        ({"id": "text"}, Row, r"\$\.id"),
        ([1], dict, "object"),
        ([1], ChatCompletion, "ChatCompletion"),
        ({"x": 1}, list, "list"),
    ],
)
async def test_a_response_that_does_not_fit_says_where(
    gradient_emulator: Emulator, session: AsyncSession, body: Any, cls: Any, path: str
) -> None:
    script_json(gradient_emulator, body, headers={"x-request-id": "r-1"})
    with pytest.raises(ResponseDecodeError, match=path) as caught:
        await session.request("GET", PATH, cast_to=cls)
    assert (caught.value.request_id, caught.value.attempts) == ("r-1", 1)


async def test_a_response_that_is_not_json(gradient_emulator: Emulator, session: AsyncSession) -> None:
    for _ in range(3):
        gradient_emulator.reply(
            body="caf\u00e9".encode("latin-1"), path=PATH, content_type="text/plain; charset=latin-1"
        )
    assert await session.request("GET", PATH, cast_to=str) == "caf\u00e9"
    reply = await session.request("GET", PATH)
    assert (reply.text, reply.content, reply.content_type) == ("caf\u00e9", b"caf\xe9", "text/plain; charset=latin-1")
    with pytest.raises(ResponseDecodeError, match="not JSON") as caught:
        _ = reply.raw
    assert (caught.value.request_id, caught.value.body) == (reply.meta.request_id, "caf\u00e9")
    with pytest.raises(ResponseDecodeError):
        await session.request("GET", PATH, cast_to=dict)


def test_a_reply_in_a_charset_that_nobody_knows_is_read_as_utf_8() -> None:
    reply = RawReply(content=b"caf\xc3\xa9", content_type="text/plain; charset=martian")
    assert reply.text == "caf\u00e9"
    assert repr(reply) == "RawReply(status=200, 'text/plain; charset=martian', <5 bytes>)"


@pytest.mark.parametrize(("status", "error"), [(404, NotFoundError), (429, RateLimitError), (500, InternalServerError)])
async def test_errors_are_those_of_every_call(
    gradient_emulator: Emulator, session: AsyncSession, status: int, error: type[GradientError]
) -> None:
    gradient_emulator.fail(status, retry_after=600, path=PATH)
    with pytest.raises(error):
        await session.request("POST", PATH, json={})


@pytest.mark.parametrize(
    ("body", "is_error"),
    [
        ({"error": {"message": "no", "code": 400}}, True),
        ({"error": "no", "status": 500}, True),
        ({"id": "job", "status": "failed", "error": "no"}, False),
        ({"id": "a", "message": "hello"}, False),
        ({"error": None}, False),
        ([{"error": "no"}], False),
    ],
)
async def test_an_error_alone_is_not_a_result(
    gradient_emulator: Emulator, session: AsyncSession, body: Any, *, is_error: bool
) -> None:
    script_json(gradient_emulator, body)
    if is_error:
        with pytest.raises(APIStatusError):
            await session.request("GET", PATH, cast_to=dict)
    else:
        assert (await session.request("GET", PATH)).raw == body


async def test_bytes_and_their_type(gradient_emulator: Emulator, session: AsyncSession) -> None:
    for headers in ({}, {"Content-Type": "audio/wav"}):
        gradient_emulator.reply(body={}, path=PATH)
        await session.request("PUT", PATH, data=b"\0\1", headers=headers)
    assert [each.body for each in gradient_emulator.requests] == [b"\0\1"] * 2
    assert [each.headers["Content-Type"] for each in gradient_emulator.requests] == [
        "application/octet-stream",
        "audio/wav",
    ]


async def test_a_form_is_read_as_it_was_meant(
    gradient_emulator: Emulator, session: AsyncSession, tmp_path: Path
) -> None:
    path = tmp_path / "caf\u00e9.wav"
    path.write_bytes(b"on disk")
    with path.open("rb") as opened:
        gradient_emulator.reply(body={}, path=PATH)
        await session.request(
            "POST",
            PATH,
            data={
                "model": "whisper",
                "n": 2,
                "flag": True,
                "bytes": b"raw",
                "path": path,
                "opened": opened,
                "buffer": io.BytesIO(b"in memory"),
                "named": ("a.mp3", b"named", "audio/mpeg"),
                "many": ["one", "two"],
            },
        )
    request = gradient_emulator.requests[0]
    head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
    form = message_from_bytes(head + request.body, policy=HTTP)
    fields = [
        (
            part.get_param("name", header="content-disposition"),
            part.get_filename(),
            part.get_content_type() if part.get_filename() else None,
            part.get_payload(decode=True),
        )
        for part in form.iter_parts()
    ]
    octets = "application/octet-stream"
    assert fields == [
        ("model", None, None, b"whisper"),
        ("n", None, None, b"2"),
        ("flag", None, None, b"true"),
        ("bytes", "bytes", octets, b"raw"),
        ("path", path.name, octets, b"on disk"),
        ("opened", path.name, octets, b"on disk"),
        ("buffer", "buffer", octets, b"in memory"),
        ("named", "a.mp3", "audio/mpeg", b"named"),
        ("many", None, None, b"one"),
        ("many", None, None, b"two"),
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": "https://evil.example/v1"}, "the key must not go"),
        ({"json": {}, "data": b""}, "not both"),
        ({"data": "text"}, "bytes"),
        ({"data": {"file": Path("/does/not/exist")}}, "'file' cannot be read"),
        ({"data": {"file": object()}}, "'file' must be text"),
        ({"data": {"file": ("only a name",)}}, "'file' must be text"),
        ({"data": {"file": io.StringIO("text")}}, "'file' must be text"),
        ({"stream": True, "cast_to": dict}, "cast_to"),
    ],
)
async def test_what_cannot_be_sent_is_refused(
    gradient_emulator: Emulator, session: AsyncSession, options: dict[str, Any], message: str
) -> None:
    path = options.pop("path", PATH)
    with pytest.raises(ConfigurationError, match=message):
        await session.request("POST", path, **options)
    assert gradient_emulator.requests == []


async def test_a_misspelt_argument_is_refused(session: AsyncSession) -> None:
    with pytest.raises(TypeError, match="jsn"):
        await session.request("POST", PATH, jsn={})  # type: ignore[call-overload]


async def test_an_agent_takes_requests_with_its_own_key(gradient_emulator: Emulator, session: AsyncSession) -> None:
    agent = session.agent(gradient_emulator.agent_url, "agent-key")
    gradient_emulator.reply(body={"status": "ok"}, path="/health")
    assert await agent.request("GET", "/health", cast_to=dict) == {"status": "ok"}
    body = {"messages": [{"role": "user", "content": "Hi"}], "stream": True}
    stream = await agent.request("POST", "/api/v1/chat/completions?agent=true", json=body, stream=True)
    assert json.loads([event async for event in stream][-1].data)["choices"] is not None
    assert {each.headers["Authorization"] for each in gradient_emulator.requests} == {"Bearer agent-key"}
    with pytest.raises(ConfigurationError, match="the key must not go"):
        await agent.request("GET", "https://inference.do-ai.run/v1/models")


# Streams.

CHAT: Any = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


async def test_a_stream_gives_its_events_and_returns_its_connection(
    gradient_emulator: Emulator, session: AsyncSession
) -> None:
    for _ in range(2):
        stream = await session.request("POST", "/v1/chat/completions", json=CHAT, stream=True)
        assert isinstance(stream, RawStream)
        async with stream:
            events = [event async for event in stream]
        assert [json.loads(event.data)["object"] for event in events] == ["chat.completion.chunk"] * len(events)
        assert stream.outcome == "done"
        assert stream.meta.request_id
        assert stream.meta.timings.first_token is not None
    assert gradient_emulator.requests[0].json["stream"] is True
    assert gradient_emulator.connections == 1


@pytest.mark.parametrize("how", ["cancel", "close", "leave", "drop"])
async def test_an_abandoned_stream_frees_its_connection(
    gradient_emulator: Emulator, session: AsyncSession, how: str
) -> None:
    gradient_emulator.stall(seconds=30, after=2)
    stream = await session.request("POST", "/v1/chat/completions", json=CHAT, stream=True)
    if how == "drop":
        async for _ in stream:
            break
    else:
        async with stream:
            await anext(stream)
            if how == "cancel":
                asyncio.get_running_loop().call_soon(stream.cancel)
                assert [event async for event in stream][2:] == []
            elif how == "close":
                stream.close()
    assert stream.outcome == "cancelled"
    assert not session._transport._open_exchanges


async def read_stream(body: bytes, head: bytes = HEAD) -> tuple[list[ServerSentEvent], str, GradientError | None]:
    """Return the events, the outcome and the error of a stream whose connection ends after *body*."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(head + body)
        await writer.drain()

    events: list[ServerSentEvent] = []
    async with run_raw_server(serve) as host, AsyncSession("test", base_url=f"http://{host}") as session:
        try:
            stream = await session.request("GET", PATH, stream=True)
        except GradientError as error:
            return events, "", error
        try:
            async for event in stream:
                events.append(event)
        except GradientError as error:
            return events, stream.outcome, error
        return events, stream.outcome, None


@pytest.mark.parametrize(
    ("body", "data"),
    [
        (b"data: 1\n\ndata: 2\n\n", ["1", "2"]),
        (b"data: 1\n\ndata: [DONE]\n\ndata: 3\n\n", ["1"]),
        (b"data: 1\n\ndata: [DONE]", ["1"]),
        (b'data: 1\n\ndata: {"a": 2}', ["1", '{"a": 2}']),
        (b"data: one\r\rdata: two\r\r", ["one", "two"]),
        (b": hello\n\ndata: 1\n\n: bye\n", ["1"]),
        (b'data: {"error": null, "a": "\\"error\\""}\n\n', ['{"error": null, "a": "\\"error\\""}']),
        (b'data: {"id": "j", "error": "of a job"}\n\n', ['{"id": "j", "error": "of a job"}']),
    ],
)
async def test_a_stream_that_ends_well(body: bytes, data: list[str]) -> None:
    events, outcome, error = await read_stream(body)
    assert ([event.data for event in events], outcome, error) == (data, "done", None)


async def test_events_are_given_as_they_are() -> None:
    events, _, _ = await read_stream(b"event: image.done\nid: 7\nretry: 5\ndata: a\ndata: b\n\n")
    assert events == [ServerSentEvent(event="image.done", data="a\nb", id="7", retry=5)]


@pytest.mark.parametrize("rest", [b"data: tw", b"dat", b"", b'data: {"a": '])
async def test_a_stream_that_is_cut_within_an_event_is_truncated(rest: bytes) -> None:
    first = b"data: 1\n\n" if rest else b""
    events, outcome, error = await read_stream(first + rest)
    assert len(events) == bool(rest)
    assert (outcome, type(error)) == ("truncated", StreamTruncatedError)


async def test_a_connection_that_breaks_between_events_is_truncated() -> None:
    head = HEAD.replace(b"Connection: close", b"Transfer-Encoding: chunked")
    events, outcome, error = await read_stream(b"9\r\ndata: 1\n\n\r\n", head)
    assert ([event.data for event in events], outcome) == (["1"], "truncated")
    assert isinstance(error, StreamTruncatedError)


@pytest.mark.parametrize(
    "body",
    [
        b'event: error\ndata: {"message": "overloaded"}\n\n',
        b'data: {"error": {"message": "overloaded", "code": 503}}\n\n',
        b'{"error": "overloaded"}\n\n',
    ],
)
async def test_an_error_within_a_stream_is_raised_after_its_events(body: bytes) -> None:
    events, outcome, error = await read_stream(b"data: 1\n\n" + body)
    assert ([event.data for event in events], outcome) == (["1"], "error")
    assert isinstance(error, APIStatusError)
    assert "overloaded" in str(error)


@pytest.mark.parametrize(
    ("body", "content_type", "data", "error"),
    [
        (b'{"a": 1}', b"application/json", ['{"a": 1}'], None),
        (b'{"error": {"message": "no"}}', b"application/json", [], APIStatusError),
        (b"<html>", b"text/html", [], ProtocolError),
        (b"data: 1\n\n", b"text/plain", ["1"], None),
    ],
)
async def test_a_response_of_another_type_in_place_of_a_stream(
    body: bytes, content_type: bytes, data: list[str], error: type[GradientError] | None
) -> None:
    events, _, caught = await read_stream(body, HEAD.replace(b"text/event-stream", content_type))
    assert [event.data for event in events] == data
    assert isinstance(caught, error) if error else caught is None


async def test_a_refused_stream_is_an_error_of_its_opening(gradient_emulator: Emulator, session: AsyncSession) -> None:
    gradient_emulator.fail(404, path=PATH)
    with pytest.raises(NotFoundError):
        await session.request("POST", PATH, json={}, stream=True)


async def test_a_host_that_cannot_be_reached() -> None:
    async with AsyncSession("test", base_url="http://127.0.0.1:9", retry=RetryPolicy(attempts=1)) as session:
        with pytest.raises(APIConnectionError) as caught:
            await session.request("GET", PATH)
    assert not caught.value.maybe_sent
