"""A request that writes itself sends what aiohttp would send, sooner and without a task."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from gradient_async import AsyncSession
from gradient_async._io.direct import MOST_BYTES, DirectRequest, request_class
from gradient_async.testing import Emulator

JSON = {"Content-Type": "application/json", "Authorization": "Bearer k"}
known_aiohttp = pytest.mark.skipif(
    request_class() is not DirectRequest, reason="this aiohttp makes its responses in another way"
)
HI: Any = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


class Wire:
    """A connection that keeps what is written to it."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self._paused = self.writing_paused = False
        self.transport = SimpleNamespace(
            write=self.writes.append,
            writelines=lambda parts: self.writes.append(b"".join(parts)),
            is_closing=lambda: False,
        )

    def start_timeout(self) -> None:
        """Do nothing: there is no limit."""


async def writes_of(
    kind: type[aiohttp.ClientRequest], body: Any, headers: dict[str, str], **options: Any
) -> list[bytes]:
    wire = Wire()
    connection: Any = SimpleNamespace(protocol=wire, _connector=SimpleNamespace(force_close=False))
    url = URL("http://127.0.0.1:8/v1/chat/completions?agent=true")
    async with aiohttp.ClientSession() as session:
        loop = asyncio.get_running_loop()
        request = kind("POST", url, headers=headers, data=body, loop=loop, session=session, **options)
        await request.send(connection)
        if request._continue is not None:
            request._continue.set_result(True)
        if request._writer is not None:
            await request._writer
    return wire.writes


@known_aiohttp
@given(
    body=st.binary(max_size=300) | st.integers(MOST_BYTES - 2, MOST_BYTES + 2).map(bytes),
    headers=st.dictionaries(st.sampled_from(["X-One", "x-two", "Accept"]), st.text("abc é", max_size=8)),
)
def test_the_same_bytes_are_sent_in_one_piece(body: bytes, headers: dict[str, str]) -> None:
    ours = asyncio.run(writes_of(DirectRequest, body, JSON | headers))
    theirs = asyncio.run(writes_of(aiohttp.ClientRequest, body, JSON | headers))
    assert b"".join(ours) == b"".join(theirs)
    assert len(ours) == 1


async def parts() -> AsyncIterator[bytes]:
    yield b"one"
    yield b"two"


SPECIAL: dict[str, tuple[Any, dict[str, str], dict[str, Any]]] = {
    "none": (lambda: None, JSON, {}),
    "text": (lambda: "text", JSON, {}),
    "parts": (parts, JSON, {}),
    "parts of known length": (parts, JSON | {"Content-Length": "6"}, {}),
    "no type": (lambda: b"{}", {}, {}),
    "chunked": (lambda: b"{}", JSON, {"chunked": True}),
    "compressed": (lambda: b"{}" * 100, JSON, {"compress": "deflate"}),
    "its own length": (lambda: b"{}", JSON | {"Content-Length": "2"}, {}),
    "asks first": (lambda: b"{}", JSON | {"Expect": "100-continue"}, {}),
    "through a proxy": (lambda: b"{}", JSON, {"proxy": URL("http://127.0.0.1:9")}),
}


@pytest.mark.parametrize("name", SPECIAL)
async def test_what_is_not_a_short_body_is_left_to_aiohttp(name: str) -> None:
    body, headers, options = SPECIAL[name]
    ours = await writes_of(DirectRequest, body(), headers, **options)
    assert ours == await writes_of(aiohttp.ClientRequest, body(), headers, **options)


async def tasks_of_a_request(session: AsyncSession, content: str) -> int:
    """Return how many tasks are made for a request over a warm connection."""
    loop, made = asyncio.get_running_loop(), 0

    def factory(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        nonlocal made
        made += coroutine.__qualname__ == "ClientRequest.write_bytes"
        return asyncio.Task(coroutine, loop=loop, **options)

    await session.chat.completions.create(**HI)
    loop.set_task_factory(factory)
    try:
        answer = await session.chat.completions.create(model="m", messages=[{"role": "user", "content": content}])
    finally:
        loop.set_task_factory(None)
    assert answer.text
    return made


@known_aiohttp
async def test_a_request_is_written_without_a_task(gradient_emulator: Emulator) -> None:
    async with AsyncSession("test", base_url=gradient_emulator.url) as session:
        assert await tasks_of_a_request(session, "Hi") == 0


async def test_a_long_one_arrives_whole_in_the_way_of_aiohttp(gradient_emulator: Emulator) -> None:
    content = "long " * MOST_BYTES
    async with AsyncSession("test", base_url=gradient_emulator.url) as session:
        await tasks_of_a_request(session, content)
    assert gradient_emulator.requests[-1].json["messages"][0]["content"] == content


async def test_who_traces_aiohttp_sees_the_body_leave(
    gradient_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[bytes] = []

    async def note(_session: object, _context: object, params: aiohttp.TraceRequestChunkSentParams) -> None:
        sent.append(params.chunk)

    tracing = aiohttp.TraceConfig()
    tracing.on_request_chunk_sent.append(note)
    made = partial(aiohttp.ClientSession, trace_configs=[tracing])  # as those do who instrument aiohttp
    monkeypatch.setattr(aiohttp, "ClientSession", made)
    async with AsyncSession("test", base_url=gradient_emulator.url) as session:
        assert (await session.chat.completions.create(**HI)).text
    assert sent == [gradient_emulator.requests[0].body]


class OtherResponse(aiohttp.ClientResponse):
    """A response that is made in another way."""

    def __init__(self, method: str, url: URL) -> None:
        raise NotImplementedError


def test_an_aiohttp_that_makes_responses_in_another_way_keeps_its_own_requests() -> None:
    assert request_class(OtherResponse) is aiohttp.ClientRequest
