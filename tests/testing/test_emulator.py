"""Sockets, records and shutdown of the emulator."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time

import aiohttp
import pytest

from gradient_async import AsyncSession
from gradient_async.testing import Emulator
from tests.support.emulator_client import EmulatorClient, NewClient, OpenStream
from tests.support.waiting import HANG_SECONDS, wait_until


async def test_a_request_is_recorded_as_it_was_sent(client: EmulatorClient, gradient: Emulator) -> None:
    sent_at = time.time()
    await client.send(b'{"model": 1}', path="/v1/chat/completions?x=1&y=%2F")
    request = gradient.requests[0]
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.query == {"x": "1", "y": "/"}
    assert (request.body, request.json) == (b'{"model": 1}', {"model": 1})
    assert request.headers["authorization"] == "Bearer key"
    assert sent_at <= request.time <= time.time()


async def test_a_request_that_expects_100_continue_gets_it(gradient: Emulator) -> None:
    async with AsyncSession("key", base_url=gradient.url) as session:
        response = await session.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "Hi"}], extra_headers={"Expect": "100-continue"}
        )
    assert response.text
    assert gradient.requests[-1].headers["Expect"] == "100-continue"


@pytest.mark.parametrize("path", ["/v1/nothing/here", "/v1/models"])
async def test_an_error_to_head_has_no_body(gradient: Emulator, path: str) -> None:
    async with aiohttp.ClientSession() as http:
        for _ in range(2):  # a body would be read as the beginning of the second response
            async with http.head(gradient.url + path) as response:
                assert response.status >= 400
    assert gradient.requests[-1].reused


@pytest.mark.parametrize(
    ("media_type", "status"),
    [
        ("text/plain", 400),
        ("application/x-www-form-urlencoded", 400),
        ("application/json; charset=utf-8", 200),
        ("application/octet-stream", 200),
    ],
)
async def test_a_body_that_is_declared_as_text_or_a_form_is_refused(
    gradient: Emulator, media_type: str, status: int
) -> None:
    body, headers = b'{"model": "m", "messages": [{"role": "user", "content": "Hi"}]}', {"Content-Type": media_type}
    async with (
        aiohttp.ClientSession(headers={"Authorization": "Bearer key"}) as http,
        http.post(f"{gradient.url}/v1/chat/completions", data=body, headers=headers) as response,
    ):
        assert response.status == status


async def test_responses_that_do_not_count_have_the_rate_limit_headers() -> None:
    async with Emulator(api_key="right", limits=[(10, 60.0)]) as gradient, aiohttp.ClientSession() as http:
        left = []
        for key, path in [("right", "/v1/models"), ("wrong", "/v1/models"), ("right", "/v1/nothing")]:
            async with http.get(gradient.url + path, headers={"Authorization": f"Bearer {key}"}) as response:
                left.append((response.status, response.headers["ratelimit-remaining"]))
    assert left == [(200, "9"), (401, "10"), (404, "9")]


async def test_a_record_has_the_outcome_of_its_response(client: EmulatorClient, gradient: Emulator) -> None:
    response = await client.stream()
    request = gradient.requests[0]
    assert (request.status, request.finished, request.disconnected) == (200, True, False)
    assert request.chunks_sent == len(response.events)
    assert request.bytes_sent == len(response.body)
    assert request.request_id == response.headers["x-request-id"]


@pytest.mark.parametrize("stall", [True, False])
async def test_a_client_that_disconnects_is_recorded(gradient: Emulator, open_stream: OpenStream, stall: bool) -> None:
    gradient.reply("word " * 100, token_delay=0.005)
    if stall:
        gradient.stall(60, after=2)
    response = await open_stream(gradient)
    await response.content.readany()
    assert gradient.active == 1
    response.close()
    await wait_until(lambda: gradient.active == 0)
    request = gradient.requests[0]
    assert (request.disconnected, request.finished) == (True, False)
    assert request.chunks_sent < 100


async def test_connections_are_counted(client: EmulatorClient, gradient: Emulator, open_stream: OpenStream) -> None:
    await client.ask()
    await client.ask()
    assert (gradient.connections, gradient.open_connections) == (1, 1)
    first, second = await open_stream(gradient), await open_stream(gradient)
    assert (gradient.connections, gradient.open_connections) == (2, 2)
    first.close()
    second.close()
    await wait_until(lambda: gradient.open_connections == 0)


async def test_keys_of_a_record_are_not_in_the_repr_of_the_emulator() -> None:
    assert "secret" not in repr(Emulator(api_key="secret", agent_key="secret"))


async def test_leaving_ends_stalled_streams_and_calls(open_stream: OpenStream) -> None:
    async with asyncio.timeout(HANG_SECONDS), Emulator() as gradient:
        gradient.stall(600, after=1, times=20)
        streams = [await open_stream(gradient) for _ in range(20)]
        gradient.stall(600)
        waiting = asyncio.ensure_future(open_stream(gradient))
        await wait_until(lambda: len(gradient.requests) == 21)
    assert gradient.active == 0
    assert not any(request.disconnected for request in gradient.requests)
    with pytest.raises(aiohttp.ClientError):
        await waiting
    for response in streams:
        response.close()


async def test_an_emulator_can_be_entered_again(new_client: NewClient) -> None:
    emulator = Emulator()
    for _ in range(2):
        async with emulator:
            assert (await new_client(emulator).ask()).status == 200


async def test_a_port_can_be_chosen(new_client: NewClient) -> None:
    async with Emulator() as other:
        port = int(other.url.rpartition(":")[2])
    async with Emulator(port=port) as gradient:
        assert gradient.url == f"http://127.0.0.1:{port}"
        assert (await new_client(gradient).ask()).status == 200


async def test_a_port_that_is_taken_is_an_error_that_leaves_nothing_open(gradient: Emulator) -> None:
    taken = int(gradient.url.rpartition(":")[2])
    emulator = Emulator(agent_port=taken)
    with pytest.raises(OSError, match="address already in use"):
        await emulator.__aenter__()
    assert emulator.open_connections == 0


async def test_the_url_of_an_emulator_that_is_not_running_raises() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        _ = Emulator().url


async def test_the_agent_host_has_a_url_of_its_own(gradient: Emulator) -> None:
    assert gradient.agent_url != gradient.url


async def test_hundreds_of_streams_run_at_once(gradient: Emulator) -> None:
    gradient.reply("one two three", token_delay=0.01, times=None)
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": True}

    async def stream(http: aiohttp.ClientSession) -> bytes:
        async with http.post(f"{gradient.url}/v1/chat/completions", json=body) as response:
            return await response.read()

    connector = aiohttp.TCPConnector(limit=0)
    headers = {"Authorization": "Bearer k"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as http:
        bodies = await asyncio.gather(*(stream(http) for _ in range(300)))
    assert all(body.endswith(b"[DONE]\n\n") for body in bodies)


@pytest.mark.parametrize(
    ("imported", "absent"),
    [("gradient_async.testing.plugin", "gradient_async.testing.emulator"), ("gradient_async", "aiohttp.web")],
)
def test_importing_the_plugin_does_not_load_the_emulator(imported: str, absent: str) -> None:
    code = f"import sys, {imported}; print({absent!r} in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
