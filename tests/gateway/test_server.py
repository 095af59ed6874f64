"""The gateway over real sockets: what passes, what waits, and what happens when either end goes away."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from gradient_async import AsyncSession, RateLimiter, RateLimits, RetryPolicy, Timeouts
from gradient_async.gateway.server import Gateway
from gradient_async.testing import Emulator
from tests.support.gateway import CHAT, open_bench
from tests.support.raw_server import Handler, read_request, run_raw_server
from tests.support.waiting import wait_until

ONE_A_MINUTE = RateLimits(windows=[(1, 60.0)])
ONCE = RetryPolicy(attempts=1)


# What passes.


async def test_a_body_passes_byte_for_byte_with_the_key_of_the_gateway() -> None:
    async with open_bench() as bench:
        body = b'{ "model":"m", "messages":[{"role":"user","content":"\xc3\xa9 \\u00e9"}], "new_field": {"x": 1.50} }'
        headers = {"Authorization": "Bearer caller", "Content-Type": "application/json", "Cookie": "a=b"}
        async with bench.http.post(f"{bench.url}/v1/chat/completions", data=body, headers=headers) as response:
            assert response.status == 200
            assert (await response.json())["choices"][0]["message"]["content"]
            assert response.headers["X-Request-Id"] == bench.emulator.requests[0].request_id
        (seen,) = bench.emulator.requests
        assert seen.body == body
        assert seen.headers["Authorization"] == "Bearer sk-real"
        assert "Cookie" not in seen.headers


async def test_headers_that_matter_upstream_pass_and_others_do_not() -> None:
    async with open_bench() as bench:
        passing = {
            "anthropic-version": "2023-06-01",
            "anthropic-beta": "a,b",
            "Idempotency-Key": "i-1",
            "Accept": "application/json",
        }
        await bench.post(
            "/v1/messages", {**CHAT, "max_tokens": 5}, headers={**passing, "X-Api-Key": "caller", "X-Priority": "bulk"}
        )
        (seen,) = bench.emulator.requests
        assert {name: seen.headers[name] for name in passing} == passing
        assert {"X-Api-Key", "X-Priority"}.isdisjoint(seen.headers)


async def test_a_repeated_header_passes_with_all_its_values() -> None:
    async with open_bench() as bench:
        headers = [("anthropic-beta", "one"), ("anthropic-beta", "two"), ("Range", "bytes=0-9")]
        async with bench.http.get(f"{bench.url}/v1/models", headers=headers) as response:
            assert response.status == 200
        (seen,) = bench.emulator.requests
        assert (seen.headers["anthropic-beta"], seen.headers["Range"]) == ("one, two", "bytes=0-9")


@asynccontextmanager
async def gateway_before(handler: Handler) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    """Yield an HTTP client and the address of a gateway to a server that has *handler* for each connection."""
    async with (
        run_raw_server(handler) as address,
        AsyncSession("k", base_url=f"http://{address}") as session,
        Gateway(session) as gateway,
        aiohttp.ClientSession() as http,
    ):
        yield http, await gateway.listen("127.0.0.1", 0)


async def test_odd_and_repeated_headers_of_the_service_do_no_harm() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        headers = b"X-Odd: caf\xe9\r\nSet-Cookie: a=b\r\nLink: </a>\r\nLink: </b>\r\nContent-Length: 2\r\n\r\n"
        writer.write(b"HTTP/1.1 200 OK\r\n" + headers + b"{}")
        await writer.drain()

    async with gateway_before(answer) as (http, url), http.get(f"{url}/v1/models") as response:
        assert (response.status, await response.read()) == (200, b"{}")
        assert response.headers["X-Odd"].startswith("caf")
        assert "Set-Cookie" not in response.headers
        assert response.headers.getall("Link") == ["</a>", "</b>"]


async def test_a_body_that_is_held_back_is_asked_for() -> None:
    async with open_bench() as bench:
        async with bench.http.post(f"{bench.url}/v1/chat/completions", json=CHAT, expect100=True) as response:
            assert response.status == 200
        assert bench.emulator.requests[0].json == CHAT
        assert "Expect" not in bench.emulator.requests[0].headers


async def test_a_stream_to_an_http_1_0_caller_ends_with_its_connection() -> None:
    async with open_bench() as bench:
        reader, writer = await asyncio.open_connection(*bench.url.removeprefix("http://").split(":"))
        body = json.dumps({**CHAT, "stream": True}).encode()
        head = f"POST /v1/chat/completions HTTP/1.0\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        writer.write(f"{head}Content-Type: application/json\r\n\r\n".encode() + body)
        response = await reader.read()
        assert b"transfer-encoding" not in response.lower()
        assert response.endswith(b"data: [DONE]\n\n")
        writer.close()


async def test_callers_with_other_accept_headers_do_not_share_a_cached_head() -> None:
    async with open_bench() as bench:
        types = ["application/json", "text/event-stream", "application/json"]
        for accept in types:
            await bench.post("/v1/chat/completions", CHAT, headers={"Accept": accept})
        assert [request.headers["Accept"] for request in bench.emulator.requests] == types


async def test_a_compressed_body_passes_unpacked() -> None:
    async with open_bench() as bench:
        status, _, _ = await bench.post("/v1/chat/completions", CHAT, compress="gzip")
        assert status == 200
        assert bench.emulator.requests[0].json == CHAT
        assert "Content-Encoding" not in bench.emulator.requests[0].headers


async def test_a_form_passes_with_its_type() -> None:
    async with open_bench() as bench:
        form = aiohttp.FormData({"model": "m"})
        form.add_field("file", b"\x00\xff", filename="a.bin")
        async with bench.http.post(f"{bench.url}/v1/files", data=form) as response:
            assert response.status == 404  # the service has no such path
        (seen,) = bench.emulator.requests
        assert seen.headers["Content-Type"].startswith("multipart/form-data; boundary=")
        assert b"\x00\xff" in seen.body


PATHS: list[tuple[str, dict[str, Any]]] = [
    ("/v1/chat/completions", CHAT),
    ("/v1/responses", {"model": "openai-gpt-oss-20b", "input": "Hi"}),
    ("/v1/messages", {**CHAT, "max_tokens": 20}),
    ("/v1/embeddings", {"model": "gte-large", "input": "Hi"}),
    ("/v1/images/generations", {"model": "openai-gpt-image-1", "prompt": "An otter", "n": 1}),
    ("/api/v1/chat/completions", {"messages": CHAT["messages"]}),
]


@pytest.mark.parametrize(("path", "body"), PATHS)
async def test_each_endpoint_gives_what_a_direct_call_gives(path: str, body: dict[str, Any]) -> None:
    async with open_bench() as bench:
        host, key = (
            (bench.emulator.agent_url, "agent-real") if path.startswith("/api") else (bench.emulator.url, "sk-real")
        )
        async with bench.http.post(
            f"{host}{path}{'?agent=true' if path.startswith('/api') else ''}",
            json=body,
            headers={"Authorization": f"Bearer {key}"},
        ) as direct:
            expected = set(await direct.json())
        status, _, result = await bench.post(path, body)
        assert (status, set(result)) == (200, expected)
        assert bench.emulator.requests[-1].headers["Authorization"] == f"Bearer {key}"


async def test_audio_and_lists_pass_as_they_are() -> None:
    async with open_bench() as bench:
        speech = {"model": "gpt-4o-mini-tts", "input": "Hello", "voice": "alloy"}
        async with bench.http.post(f"{bench.url}/v1/audio/speech", json=speech) as response:
            assert response.headers["Content-Type"].startswith("audio/")
            assert await response.read()
        assert (await bench.get_json("/v1/models"))["data"]
        async with bench.http.get(f"{bench.url}/v1/batches?limit=2") as response:
            assert response.status == 200
        assert bench.emulator.requests[-1].query == {"limit": "2"}


async def test_a_stream_passes_as_it_arrives() -> None:
    async with open_bench() as bench:
        bench.emulator.stall(seconds=60, after=2)
        async with bench.http.post(f"{bench.url}/v1/chat/completions", json={**CHAT, "stream": True}) as response:
            assert response.headers["X-Accel-Buffering"] == "no"
            assert response.content_type == "text/event-stream"
            first = await response.content.readuntil(b"\n\n")
            second = await response.content.readuntil(b"\n\n")
        assert first.startswith(b"data: {")
        assert second.startswith(b"data: {")


async def test_a_stream_has_the_bytes_of_a_direct_one() -> None:
    async with open_bench() as bench:
        bench.emulator.reply("Lisbon is the capital.", split=3, times=2)
        body = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}
        texts = []
        for url in (bench.emulator.url, bench.url):
            async with bench.http.post(
                f"{url}/v1/chat/completions", json=body, headers={"Authorization": "Bearer sk-real"}
            ) as response:
                events = (await response.text()).split("\n\n")
                texts.append([json.loads(event[6:]).get("choices") for event in events if event.startswith("data: {")])
                assert events[-2] == "data: [DONE]"
        assert texts[0] == texts[1]


# What waits.


async def test_a_request_waits_where_the_service_would_refuse() -> None:
    async with open_bench(limits=RateLimits(windows=[(1, 0.2)])) as bench:
        wishes: list[dict[str, str]] = [{}, {"X-Deadline": "30"}, {"X-Priority": "bulk"}]
        results = await asyncio.gather(
            *(bench.post("/v1/chat/completions", CHAT, headers=headers) for headers in wishes)
        )
        assert [status for status, _, _ in results] == [200, 200, 200]
        status = await bench.get_json("/status.json")
        assert status["models"][0]["mean_wait"] > 0


async def test_the_tokens_of_a_response_replace_their_estimate() -> None:
    async with open_bench(limits=RateLimits(per_minute=100, tokens_per_minute=100_000)) as bench:
        for stream in (False, True):
            bench.emulator.reply("Lisbon", usage={"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16})
            options = {"stream": stream, "stream_options": {"include_usage": True}} if stream else {}
            body = {**CHAT, **options, "max_tokens": 5000}
            async with bench.http.post(f"{bench.url}/v1/chat/completions", json=body) as response:
                assert response.status == 200
                await response.read()
        assert bench.session.limits is not None
        assert bench.session.limits.status().tokens_used == 32


async def test_a_wait_beyond_the_deadline_is_a_429_with_the_time_that_is_left() -> None:
    async with open_bench(limits=ONE_A_MINUTE) as bench:
        await bench.post("/v1/chat/completions", CHAT)
        status, headers, body = await bench.post("/v1/chat/completions", CHAT, headers={"X-Deadline": "5"})
        assert (status, body["error"]["type"]) == (429, "rate_limit_error")
        assert 30 <= int(headers["retry-after"]) <= 61
        assert "x-should-retry" not in headers
        assert len(bench.emulator.requests) == 1


async def test_a_refusal_that_cannot_be_waited_out_passes_with_the_true_time() -> None:
    async with open_bench() as bench:
        bench.emulator.fail(429, retry_after=40, code="slow_down")
        status, headers, body = await bench.post("/v1/chat/completions", CHAT, headers={"X-Deadline": "20"})
        assert (status, body["id"]) == (429, "slow_down")
        assert 40 <= int(headers["retry-after"]) <= 50
        assert len(bench.emulator.requests) == 1


async def test_bulk_requests_let_others_go_first() -> None:
    limiter = RateLimiter(RateLimits(windows=[(1, 60.0)]))
    async with open_bench(limits=limiter) as bench:
        await bench.post("/v1/chat/completions", CHAT)
        callers = [
            asyncio.create_task(bench.post("/v1/chat/completions", {**CHAT, "model": name}, headers=headers))
            for name, headers in (("slow", {"X-Priority": "bulk"}), ("fast", {}))
        ]
        await wait_until(lambda: limiter.status().queued == 2)
        assert limiter._wait_queue.waiters.peek().model == "fast"  # type: ignore[union-attr]  # two wait
        for caller in callers:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)
        await wait_until(lambda: limiter.status().queued == 0)  # whoever leaves does not keep a place


@pytest.mark.parametrize(
    "headers", [{"X-Priority": "urgent"}, {"X-Deadline": "soon"}, {"X-Deadline": "-1"}, {"X-Deadline": "inf"}]
)
async def test_a_wish_that_means_nothing_is_refused(headers: dict[str, str]) -> None:
    async with open_bench() as bench:
        status, _, body = await bench.post("/v1/chat/completions", CHAT, headers=headers)
        assert (status, body["error"]["type"]) == (400, "invalid_request_error")
        assert next(iter(headers)) in body["error"]["message"]
        assert bench.emulator.requests == []


# Errors.


@pytest.mark.parametrize("status", [400, 401, 404, 422, 500, 529])
async def test_an_error_passes_with_its_status_and_its_body(status: int) -> None:
    async with open_bench(retry=ONCE) as bench:
        body = b'{ "id": "odd", "message": "As it is: \xc3\xa9" }'
        bench.emulator.fail(status, body=body, content_type="application/json", headers={"X-Extra": "kept"})
        async with bench.http.post(f"{bench.url}/v1/chat/completions", json=CHAT) as response:
            assert (response.status, await response.read()) == (status, body)
            assert response.headers["X-Extra"] == "kept"
            assert response.headers.get("x-should-retry") == ("false" if status >= 500 else None)


async def test_only_what_surely_was_not_processed_is_sent_again() -> None:
    async with open_bench(retry=RetryPolicy(attempts=3)) as bench:
        bench.emulator.fail(500)
        status, _, _ = await bench.post("/v1/chat/completions", CHAT)
        assert (status, len(bench.emulator.requests)) == (500, 1)


async def test_an_unreachable_service_is_a_bad_gateway() -> None:
    async with (
        AsyncSession("k", base_url="http://127.0.0.1:1", retry=ONCE) as session,
        Gateway(session) as gateway,
        aiohttp.ClientSession() as http,
    ):
        url = await gateway.listen("127.0.0.1", 0)
        async with http.post(f"{url}/v1/chat/completions", json=CHAT) as response:
            assert (response.status, (await response.json())["error"]["type"]) == (502, "api_error")
            assert "x-should-retry" not in response.headers


async def test_silence_of_the_service_is_a_gateway_timeout() -> None:
    async with open_bench(timeouts=Timeouts(first_byte=0.05)) as bench:
        bench.emulator.reply("late", delay=60)
        status, headers, body = await bench.post("/v1/chat/completions", CHAT)
        assert (status, body["error"]["type"]) == (504, "timeout_error")
        assert headers["x-should-retry"] == "false"


async def test_a_stream_that_breaks_off_upstream_does_not_look_complete() -> None:
    async with open_bench() as bench:
        bench.emulator.reset(after=2)
        with pytest.raises(aiohttp.ClientPayloadError):
            async with bench.http.post(f"{bench.url}/v1/chat/completions", json={**CHAT, "stream": True}) as response:
                await response.read()
        await wait_until(lambda: bench.gateway.statistics.running == 0)
        (counts,) = bench.gateway.statistics.models.values()
        assert counts.statuses == {502: 1}


async def test_json_that_breaks_off_upstream_is_a_bad_gateway() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"id":')
        await writer.drain()

    async with gateway_before(answer) as (http, url), http.post(f"{url}/v1/chat/completions", json=CHAT) as response:
        assert (response.status, response.headers["x-should-retry"]) == (502, "false")


async def test_a_body_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradient_async.gateway.server.MAX_BODY_BYTES", 1000)
    async with open_bench() as bench:
        status, _, body = await bench.post("/v1/chat/completions", {"model": "m", "messages": "x" * 2000})
        assert (status, body["error"]["type"]) == (413, "request_too_large")
        assert bench.emulator.requests == []


async def test_an_unexpected_failure_is_counted_and_logged_without_its_message(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: object) -> None:
        raise LookupError("p-secret")

    async with open_bench() as bench:
        monkeypatch.setattr("gradient_async.gateway.relay.Relay.relay_request", fail)
        status, _, body = await bench.post("/v1/chat/completions", CHAT)
        assert (status, bench.gateway.statistics.models[str(CHAT["model"])].statuses) == (500, {500: 1})
    assert "unexpected LookupError at " in caplog.text
    assert "p-secret" not in caplog.text + str(body)


MISSING = [
    ("POST", "/chat/completions", "end the base URL with /v1"),
    ("POST", "/v1/v1/messages", "/v1 twice"),
    ("POST", "//v1/messages", "two slashes"),
]


@pytest.mark.parametrize(("method", "path", "advice"), MISSING)
async def test_a_wrong_path_says_what_to_do(method: str, path: str, advice: str) -> None:
    async with open_bench() as bench, bench.http.request(method, bench.url + path) as response:
        assert response.status == 404
        assert advice in (await response.json())["error"]["message"]


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
async def test_another_method_is_told_those_that_are_taken(method: str) -> None:
    async with open_bench() as bench, bench.http.request(method, f"{bench.url}/v1/models") as response:
        assert (response.status, response.headers["Allow"]) == (405, "GET, POST, PUT, PATCH, DELETE")
        assert bench.emulator.requests == []


async def test_a_path_cannot_lead_elsewhere() -> None:
    async with open_bench() as bench:
        reader, writer = await asyncio.open_connection(*bench.url.removeprefix("http://").split(":"))
        writer.write(b"GET /v1/%2e%2e/admin HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b" 400 " in await reader.readline()
        writer.close()
        assert bench.emulator.requests == []


async def test_an_agent_without_address_says_which_variables_are_missing() -> None:
    async with Emulator() as emulator, AsyncSession("k", base_url=emulator.url) as session, Gateway(session) as gateway:
        url = await gateway.listen("127.0.0.1", 0)
        async with aiohttp.ClientSession() as http, http.post(f"{url}/api/v1/chat/completions", json={}) as response:
            assert response.status == 404
            assert "AGENT_ENDPOINT" in (await response.json())["error"]["message"]


# Ends.


@pytest.mark.parametrize("stream", [True, False])
async def test_the_connection_upstream_closes_when_the_caller_leaves(stream: bool) -> None:
    async with open_bench() as bench:
        bench.emulator.stall(seconds=60, after=1)
        if not stream:
            bench.emulator.reply("late", delay=60)
        call = asyncio.create_task(bench.post("/v1/chat/completions", {**CHAT, "stream": stream}))
        await wait_until(lambda: bench.emulator.requests)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        await wait_until(lambda: bench.emulator.requests[0].disconnected)
        await wait_until(lambda: bench.gateway.statistics.running == 0)
        (counts,) = bench.gateway.statistics.models.values()
        assert counts.statuses == {499: 1}


BEGINNINGS = {
    "no response": b"",
    "half of a head": b"HTTP/1.1 200 OK\r\nContent-",
    "half of a JSON body": b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"id":',
    "half of a stream": b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: {}\n\n",
    "half of an error": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 100\r\n\r\n{",
}


@pytest.mark.parametrize("beginning", BEGINNINGS.values(), ids=BEGINNINGS)
async def test_the_connection_upstream_closes_whatever_has_arrived(beginning: bytes) -> None:
    requested, closed = asyncio.Event(), asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(beginning)
        requested.set()
        assert await reader.read() == b""
        closed.set()

    async with (
        run_raw_server(answer) as address,
        AsyncSession("k", base_url=f"http://{address}") as session,
        Gateway(session) as gateway,
        aiohttp.ClientSession() as http,
    ):
        url = await gateway.listen("127.0.0.1", 0)
        call = asyncio.create_task(http.post(f"{url}/v1/chat/completions", json=CHAT))
        await requested.wait()
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        await http.close()
        await closed.wait()
        await wait_until(lambda: gateway.statistics.running == 0)


async def test_a_caller_who_leaves_the_queue_sends_nothing() -> None:
    limiter = RateLimiter(ONE_A_MINUTE)
    async with open_bench(limits=limiter) as bench:
        await bench.post("/v1/chat/completions", CHAT)
        call = asyncio.create_task(bench.post("/v1/chat/completions", CHAT))
        await wait_until(lambda: limiter.status().queued == 1)
        call.cancel()
        await wait_until(lambda: limiter.status().queued == 0)
        await wait_until(lambda: bench.gateway.statistics.running == 0)
        assert len(bench.emulator.requests) == 1


async def test_draining_lets_a_stream_end() -> None:
    async with open_bench() as bench:
        bench.emulator.reply("one two three four", token_delay=0.02)
        url = f"{bench.url}/v1/chat/completions"
        async with bench.http.post(url, json={**CHAT, "stream": True}) as response:
            draining = asyncio.create_task(bench.gateway.drain(30.0))
            assert (await response.text()).endswith("data: [DONE]\n\n")
        assert await draining == 0


async def test_draining_lets_requests_end_and_refuses_new_ones() -> None:
    async with open_bench() as bench:
        bench.emulator.reply("late", delay=0.2)
        await bench.get_json("/v1/models")  # leaves a connection that a new request can take
        call = asyncio.create_task(bench.post("/v1/chat/completions", CHAT))
        await wait_until(lambda: len(bench.emulator.requests) == 2)
        await bench.get_json("/v1/models")
        draining = asyncio.create_task(bench.gateway.drain(30.0))
        await wait_until(lambda: bench.gateway.draining)
        status, headers, _ = await bench.post("/v1/chat/completions", CHAT)
        assert (status, headers["connection"]) == (503, "close")
        assert (await call)[0] == 200
        assert await draining == 0


async def test_draining_ends_after_its_time() -> None:
    async with open_bench() as bench:
        bench.emulator.reply("late", delay=60)
        call = asyncio.create_task(bench.post("/v1/chat/completions", CHAT))
        await wait_until(lambda: bench.emulator.requests)
        assert await bench.gateway.drain(0.01) == 1
        await bench.gateway.aclose()
        with pytest.raises(aiohttp.ClientError):
            await call
        await wait_until(lambda: bench.emulator.requests[0].disconnected)


# The gateway's own pages.


async def test_strangers_see_nothing() -> None:
    async with open_bench(tokens=("t-1", "t-2")) as bench:
        for path in ("/", "/status.json", "/metrics", "/v1/models"):
            async with bench.http.get(bench.url + path) as response:
                assert (response.status, response.headers["WWW-Authenticate"][:5]) == (401, "Basic")
            async with bench.http.get(bench.url + path, headers={"Authorization": "Bearer t-2"}) as response:
                assert response.status == 200
        assert len(bench.emulator.requests) == 1


async def test_the_page_and_the_metrics_show_what_was_served() -> None:
    async with open_bench() as bench:
        bench.emulator.reply("Lisbon", usage={"prompt_tokens": 11, "completion_tokens": 5})
        await bench.post("/v1/chat/completions", CHAT)
        bench.emulator.fail(404)
        await bench.post("/v1/chat/completions", CHAT)
        status = await bench.get_json("/status.json")
        (model,) = status["models"]
        assert (model["model"], model["requests"], model["errors"]) == (CHAT["model"], 2, {"404": 1})
        assert (model["input_tokens"], model["output_tokens"]) == (11, 5)
        assert status["windows"][0]["used"] == 2
        assert status["history"][-1]["requests"] + status["history"][-2]["requests"] == 2
        async with bench.http.get(f"{bench.url}/metrics") as response:
            lines = (await response.text()).splitlines()
        assert f'gradient_proxy_requests_total{{model="{CHAT["model"]}",status="404"}} 1' in lines
        assert 'gradient_proxy_window_used{seconds="60"} 2' in lines
        async with bench.http.get(bench.url) as response:
            page = await response.text()
            assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        assert "status.json" in page
        assert "://" not in page.replace("http://www.w3.org/2000/svg", "")


async def test_the_page_shows_the_quotas_of_models() -> None:
    async with open_bench(Emulator(tier=120)) as bench:
        await bench.post("/v1/chat/completions", CHAT)
        quotas = (await bench.get_json("/status.json"))["quotas"]
        assert ("requests", 120) in [(quota["kind"], quota["limit"]) for quota in quotas]
        assert {quota["model"] for quota in quotas} == {CHAT["model"]}


async def test_no_prompt_and_no_key_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with open_bench(tokens=("t-secret",), retry=ONCE) as bench:
        body = {"model": "m", "messages": [{"role": "user", "content": "p-secret"}]}
        bench.emulator.fail(500, message="echo: p-secret")
        for key in ("t-secret", "other-secret"):
            await bench.post("/v1/chat/completions", body, headers={"Authorization": f"Bearer {key}"})
        await bench.post("/v1/chat/completions", body, headers={"Authorization": "Bearer t-secret"})
    own = [record.getMessage() for record in caplog.records if record.name.startswith("gradient_async")]
    assert own
    assert [line for line in own if "secret" in line or "sk-real" in line] == []
