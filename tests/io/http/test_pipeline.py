"""The retry loop over a real socket: which requests are sent again, and what that costs."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from gradient_async import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AsyncSession,
    GradientError,
    InternalServerError,
    ProtocolError,
    RateLimiter,
    RateLimitError,
    RateLimits,
    ResponseDecodeError,
    RetryPolicy,
    Timeouts,
)
from gradient_async._io.http import connector
from gradient_async._io.http.aiohttp_internals import describe_fast_path
from gradient_async._protocol.http.retry import Replay
from gradient_async.params import MessageParam
from gradient_async.testing import Emulator
from tests.support.pools import count_acquired
from tests.support.raw_server import read_request, run_raw_server

pytestmark = pytest.mark.usefixtures("steady_clock")

HI: list[MessageParam] = [{"role": "user", "content": "Hi"}]
QUICK = RetryPolicy(first=0.01, longest=0.02)


def session(emulator: Emulator, retry: RetryPolicy = QUICK) -> AsyncSession:
    return AsyncSession(api_key="test", base_url=emulator.url, retry=retry)


# What is sent again: the table of retry.py, walked over real sockets.

ROUTES: dict[str, Callable[[AsyncSession], Awaitable[object]]] = {
    "completion": lambda s: s.chat.completions.create(model="m", messages=HI),
    "stream": lambda s: s.chat.completions.stream(model="m", messages=HI).completion(),
    "embeddings": lambda s: s.embeddings.create(model="m", input="Hi"),
}
ANY: set[Replay] = {"safe", "answered", "always"}
FAILURES: dict[str, tuple[Callable[[Emulator], None], set[Replay], bool]] = {
    "429": (lambda g: g.fail(429, times=None, retry_after=0), ANY, False),
    "429 page": (lambda g: g.fail(429, times=None, body="<h1>429</h1>"), ANY, False),
    "own 503": (lambda g: g.fail(503, times=None), ANY, False),
    "503 page": (lambda g: g.fail(503, times=None, body="<h1>503</h1>"), {"answered", "always"}, True),
    "upstream 503": (lambda g: g.fail(503, times=None, body={"error": {"message": "m"}}), {"answered", "always"}, True),
    **{
        f"own {status}": (partial(Emulator.fail, status=status, times=None), {"answered", "always"}, True)
        for status in (408, 500, 502, 504)
    },
    "504 page": (lambda g: g.fail(504, times=None, body="<h1>504</h1>"), {"answered", "always"}, True),
    "lost": (lambda g: g.reset(times=None), {"always"}, True),
    "silent": (lambda g: g.stall(60, times=None), {"always"}, True),
    **{
        f"own {status}": (partial(Emulator.fail, status=status, times=None), set(), False)
        for status in (400, 401, 402, 403, 404, 409, 413, 422, 501)
    },
}


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("replay", ["safe", "answered", "always"])
@pytest.mark.parametrize("failure", FAILURES)
async def test_what_is_sent_again(gradient_emulator: Emulator, failure: str, replay: Replay, route: str) -> None:
    script, replays, maybe_sent = FAILURES[failure]
    script(gradient_emulator)
    policy = RetryPolicy(attempts=3, first=0.001, longest=0.002, replay=replay)
    timeouts = Timeouts(first_byte=0.05 if failure == "silent" else None)
    async with AsyncSession("test", base_url=gradient_emulator.url, retry=policy, limits=None, timeouts=timeouts) as s:
        with pytest.raises(GradientError) as caught:
            await ROUTES[route](s)
    sent = 3 if replay in replays else 1
    assert len(gradient_emulator.requests) == caught.value.attempts == sent
    assert caught.value.maybe_sent is maybe_sent


@pytest.mark.parametrize("failure", FAILURES)
async def test_one_attempt_sends_nothing_twice(gradient_emulator: Emulator, failure: str) -> None:
    policy, timeouts = RetryPolicy(attempts=1, replay="always"), Timeouts(first_byte=0.05)
    async with AsyncSession("test", base_url=gradient_emulator.url, retry=policy, limits=None, timeouts=timeouts) as s:
        await s.models.list()  # so that the next call reuses its connection
        FAILURES[failure][0](gradient_emulator)
        with pytest.raises(GradientError):
            await s.chat.completions.create(model="m", messages=HI)
    assert len(gradient_emulator.requests) == 2


@pytest.mark.parametrize("failure", [name for name, row in FAILURES.items() if "always" in row[1]])
async def test_what_changes_nothing_is_asked_for_again(gradient_emulator: Emulator, failure: str) -> None:
    FAILURES[failure][0](gradient_emulator)
    policy, timeouts = RetryPolicy(attempts=2, first=0.001), Timeouts(first_byte=0.05)
    async with AsyncSession("test", base_url=gradient_emulator.url, retry=policy, limits=None, timeouts=timeouts) as s:
        with pytest.raises(GradientError):
            await s.models.list()
    assert len(gradient_emulator.requests) == 2


async def test_an_earlier_attempt_may_have_been_processed(gradient_emulator: Emulator) -> None:
    gradient_emulator.fail(504)
    gradient_emulator.fail(429, retry_after=3600)
    async with session(gradient_emulator, retry=RetryPolicy(first=0.001, replay="answered")) as s:
        with pytest.raises(RateLimitError) as caught:
            await s.chat.completions.create(model="m", messages=HI)
    assert (caught.value.maybe_sent, caught.value.attempts) == (True, 2)


async def test_an_error_has_the_request_id_of_its_response(gradient_emulator: Emulator) -> None:
    gradient_emulator.fail(status=400)
    async with session(gradient_emulator) as s:
        with pytest.raises(APIStatusError) as caught:
            await s.chat.completions.create(model="m", messages=HI)
    assert caught.value.request_id == gradient_emulator.requests[0].request_id


@pytest.mark.parametrize("maybe_sent", [True, False], ids=["sent", "not sent"])
async def test_a_call_ended_by_the_limiter_says_what_was_sent_before(
    gradient_emulator: Emulator, *, maybe_sent: bool
) -> None:
    """The minute is spent by the first attempt, or by another call."""
    gradient_emulator.fail(502, times=1)
    limiter = RateLimiter(RateLimits(windows=[(1, 60.0)]))
    options: dict[str, Any] = {"base_url": gradient_emulator.url, "limits": limiter}
    async with AsyncSession("test", retry=RetryPolicy(first=0.001, replay="answered"), **options) as s:
        if not maybe_sent:
            gradient_emulator.clear()
            await s.chat.completions.create(model="m", messages=HI)
        with pytest.raises(APITimeoutError) as caught:
            await s.chat.completions.create(model="m", messages=HI, timeout=5)
    assert (caught.value.phase, caught.value.maybe_sent) == ("limiter", maybe_sent)
    assert caught.value.attempts == int(maybe_sent)


async def test_a_stream_is_sent_again_before_its_status_line_only(gradient_emulator: Emulator) -> None:
    gradient_emulator.fail(status=503, times=1)
    async with session(gradient_emulator) as s:
        assert (await s.chat.completions.stream(model="m", messages=HI).completion()).text
    assert len(gradient_emulator.requests) == 2


async def test_a_retry_after_beyond_the_deadline_raises_at_once(gradient_emulator: Emulator) -> None:
    gradient_emulator.fail(status=429, retry_after=3600, times=None)
    async with session(gradient_emulator) as s:
        with pytest.raises(RateLimitError) as caught:
            await s.chat.completions.create(model="m", messages=HI)
    assert (caught.value.retry_after, caught.value.attempts) == (3600, 1)


async def test_a_lost_connection_leaves_no_exception_of_aiohttp(gradient_emulator: Emulator) -> None:
    gradient_emulator.reset(times=None)
    async with session(gradient_emulator) as s:
        with pytest.raises(APIConnectionError) as caught:
            await s.chat.completions.create(model="m", messages=HI)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


async def test_a_pooled_connection_lost_after_the_request_may_have_processed_it(gradient_emulator: Emulator) -> None:
    async with session(gradient_emulator) as s:
        await s.models.list()
        gradient_emulator.drop_idle(stale=True)
        with pytest.raises(APIConnectionError) as caught:
            await s.chat.completions.create(model="m", messages=HI)
    assert (caught.value.maybe_sent, caught.value.attempts) == (True, 1)


async def test_a_pooled_connection_that_has_closed_costs_no_attempt(gradient_emulator: Emulator) -> None:
    async with session(gradient_emulator, retry=RetryPolicy(attempts=1)) as s:
        await s.models.list()
        gradient_emulator.drop_idle()
        await asyncio.sleep(0.01)
        assert (await s.chat.completions.create(model="m", messages=HI)).meta.attempts == 1
    assert gradient_emulator.connections == 2


RESPONSE = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n{"choices":[]}'


async def test_of_many_stale_connections_only_one_costs_an_attempt() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await asyncio.sleep(0.02)  # so that others need connections of their own
        writer.write(RESPONSE)
        await read_request(reader)

    policy = RetryPolicy(first=0.01, longest=0.02, replay="always")
    async with run_raw_server(serve) as address, AsyncSession("test", base_url=f"http://{address}", retry=policy) as s:
        await asyncio.gather(*(s.chat.completions.create(model="m", messages=HI) for _ in range(3)))
        assert (await s.chat.completions.create(model="m", messages=HI)).meta.attempts == 2


async def test_a_connection_lost_within_the_response_head_is_not_stale() -> None:
    arrived = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal arrived
        for response in (RESPONSE, RESPONSE[:20]):
            await read_request(reader)
            arrived += 1
            writer.write(response)

    async with run_raw_server(serve) as address, AsyncSession("test", base_url=f"http://{address}", retry=QUICK) as s:
        await s.chat.completions.create(model="m", messages=HI)
        with pytest.raises(APIConnectionError) as caught:
            await s.chat.completions.create(model="m", messages=HI)
    assert (caught.value.maybe_sent, arrived) == (True, 2)


async def test_aiohttp_itself_sends_nothing_again() -> None:
    arrived = 0

    async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        nonlocal arrived
        await read_request(reader)
        arrived += 1

    async with run_raw_server(serve) as address, AsyncSession("test", base_url=f"http://{address}", retry=QUICK) as s:
        with pytest.raises(APIConnectionError) as caught:
            await s.models.list()
        assert s.limits is not None
        assert arrived == caught.value.attempts == s.limits.status().windows[0].used == QUICK.attempts


async def test_a_host_that_refuses_connections_is_retried_and_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    async with AsyncSession(api_key="test", base_url=f"http://127.0.0.1:{port}", retry=QUICK) as s:
        with pytest.raises(APIConnectionError, match=f"127.0.0.1:{port}") as caught:
            await s.chat.completions.create(model="m", messages=HI)
        assert not caught.value.maybe_sent
        assert caught.value.attempts == QUICK.attempts
        assert s.limits is not None
        assert s.limits.status().windows[0].used == 0


async def test_a_host_that_does_not_exist_is_named() -> None:
    async with AsyncSession(api_key="test", base_url="https://nowhere.invalid", retry=QUICK) as s:
        with pytest.raises(APIConnectionError, match=r"nowhere\.invalid"):
            await s.chat.completions.create(model="m", messages=HI)


async def test_the_retry_budget_limits_the_requests_of_an_outage(gradient_emulator: Emulator) -> None:
    gradient_emulator.fail(status=503, times=None)
    policy = RetryPolicy(first=0, longest=0, budget=5)
    async with session(gradient_emulator, retry=policy) as s:
        calls = (s.chat.completions.create(model="m", messages=HI) for _ in range(20))
        results = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(result, InternalServerError) for result in results)
    assert len(gradient_emulator.requests) == 25


@pytest.mark.parametrize("body", [b"<html>502 Bad Gateway</html>", b"", b"{", b'{"detail": "x"}', b"x" * 1_000_000])
async def test_an_error_with_any_body_has_the_class_of_its_status(gradient_emulator: Emulator, body: bytes) -> None:
    gradient_emulator.fail(status=502, body=body, times=None, content_type="text/html")
    async with session(gradient_emulator, retry=RetryPolicy(attempts=1)) as s:
        with pytest.raises(InternalServerError) as caught:
            await s.chat.completions.create(model="m", messages=HI)
    assert len(str(caught.value)) < 500


async def test_a_response_that_is_not_http_is_a_protocol_error() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"SSH-2.0-OpenSSH\r\n")

    async with run_raw_server(speak) as host, AsyncSession(api_key="test", base_url=f"http://{host}") as s:
        with pytest.raises(ProtocolError, match="HTTP") as caught:
            await s.chat.completions.create(model="m", messages=HI)
    assert caught.value.__context__ is None


# Whatever raises after a response arrived closes its connection.


class _FailingLimiter(RateLimiter):
    def apply_response(self, *_: Any, **__: Any) -> None:
        raise ZeroDivisionError


@pytest.mark.parametrize("route", ["completion", "stream"])
async def test_a_limiter_that_raises_leaks_no_connection(gradient_emulator: Emulator, route: str) -> None:
    limiter = _FailingLimiter(RateLimits())
    async with AsyncSession("test", base_url=gradient_emulator.url, limits=limiter) as s:
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await ROUTES[route](s)
        assert count_acquired(s) == 0


class _Interruption(BaseException):
    pass


@pytest.mark.parametrize("route", ["completion", "stream"])
async def test_a_hook_that_is_interrupted_leaks_no_connection(gradient_emulator: Emulator, route: str) -> None:
    def interrupt(_: object) -> None:
        raise _Interruption

    async with AsyncSession("test", base_url=gradient_emulator.url, hooks=[interrupt]) as s:
        for _ in range(3):
            with pytest.raises(_Interruption):
                await ROUTES[route](s)
        assert count_acquired(s) == 0


@pytest.mark.parametrize("value", ["1e308", "1e400", "9" * 5_000, "nan", "-1"])
@pytest.mark.parametrize("route", ["completion", "stream"])
async def test_absurd_numbers_in_headers_break_no_call(gradient_emulator: Emulator, route: str, value: str) -> None:
    names = ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "Retry-After", "Date"]
    names += [f"x-ratelimit-{kind}-requests" for kind in ("limit", "remaining", "reset")]
    gradient_emulator.limits = None
    gradient_emulator.reply("Hello", headers=dict.fromkeys(names, value), times=None)
    async with session(gradient_emulator) as s:
        for _ in range(2):
            await ROUTES[route](s)
        assert count_acquired(s) == 0


# Responses that are told for what they are.

EVENTS = b'data: {"choices": [{"index": 0, "delta": {"content": "Hello"}}]}\n\ndata: [DONE]\n\n'
WHOLE_ROUTES: dict[str, Callable[[AsyncSession], Awaitable[object]]] = {
    "completion": lambda s: s.chat.completions.create(model="m", messages=HI),
    "message": lambda s: s.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "Hi"}]),
    "response": lambda s: s.responses.create(model="m", input="Hi"),
}


@pytest.mark.parametrize("content_type", ["text/event-stream", "text/event-stream; charset=utf-8", "text/plain"])
@pytest.mark.parametrize("route", WHOLE_ROUTES)
async def test_an_event_stream_in_place_of_a_whole_response_is_named(
    gradient_emulator: Emulator, route: str, content_type: str
) -> None:
    gradient_emulator.reply(body=EVENTS, content_type=content_type)
    async with session(gradient_emulator) as s:
        with pytest.raises(ResponseDecodeError, match="an event stream in place of a whole response") as caught:
            await WHOLE_ROUTES[route](s)
    error = caught.value
    assert "Hello" in error.body
    assert "Hello" not in str(error)
    assert (error.maybe_sent, error.attempts) == (True, 1)
    assert error.request_id


@pytest.mark.parametrize(
    ("location", "part"),
    [
        ("https://elsewhere.example/v1/chat?key=secret", "https://elsewhere.example"),
        ("//elsewhere.example/v1", "elsewhere.example"),
        ("/v2/chat/completions?key=secret", "/v2/chat/completions of the same host"),
        ("https://[broken", "cannot be parsed"),
        ("https://" + "x" * 5000, "https://xxx"),
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_names_its_target(gradient_emulator: Emulator, status: int, location: str, part: str) -> None:
    gradient_emulator.redirect(location, status=status)
    async with session(gradient_emulator) as s:
        with pytest.raises(ProtocolError, match="redirected") as caught:
            await s.chat.completions.create(model="m", messages=HI)
    assert part in str(caught.value)
    assert "secret" not in str(caught.value)
    assert len(str(caught.value)) < 500
    assert not caught.value.maybe_sent


@pytest.mark.parametrize("status", [300, 304])
async def test_a_status_between_success_and_error_is_named(gradient_emulator: Emulator, status: int) -> None:
    gradient_emulator.reply(body=b"", status=status)
    async with session(gradient_emulator) as s:
        with pytest.raises(ProtocolError, match=f"status {status}, which is neither"):
            await s.chat.completions.create(model="m", messages=HI)


@pytest.mark.skipif(describe_fast_path() is not None, reason="aiohttp's session writes in a task of its own")
async def test_a_pooled_connection_that_fails_the_write_counts_as_never_made(
    gradient_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that was reset between the look at it and the write."""
    monkeypatch.setattr(connector, "is_idle", lambda _: True)
    async with session(gradient_emulator) as s:
        await s.models.list()
        pool = s._transport._pool
        assert pool is not None
        assert pool.connector is not None
        for idle in pool.connector._conns.values():
            transport = idle[0][0].transport
            assert transport is not None
            with socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as copy:
                copy.shutdown(socket.SHUT_WR)  # so that the write fails
        completion = await s.chat.completions.create(model="m", messages=HI)
        assert s.limits is not None
        assert s.limits.status().windows[0].used == 2
    assert completion.meta.attempts == 2
    assert len(gradient_emulator.requests) == 2
