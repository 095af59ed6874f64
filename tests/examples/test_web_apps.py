"""The web examples behind real servers: a client that disconnects ends the upstream request."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from gradient_async import SSEParser
from gradient_async.testing import Emulator
from tests.support.redis_server import open_limiter, run_redis_server
from tests.support.waiting import wait_until
from tests.support.web_servers import load_example, prepare_examples, serve_with_uvicorn

pytestmark = pytest.mark.usefixtures("steady_clock")

REQUEST = {"messages": [{"role": "user", "content": "Hi"}]}
LONG = "one two three four five six seven eight nine ten"


@asynccontextmanager
async def serve_with_aiohttp(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield "http://{}:{}".format(*runner.addresses[0])
    await runner.cleanup()


def load_app(name: str) -> Any:
    """Import the example *name* anew; return its application."""
    if name == "django_app":
        pytest.importorskip("django")
    module = load_example(name)
    if name == "aiohttp_app":
        return module.application()
    return module.application if name == "django_app" else module.app


@pytest.fixture
def examples(gradient_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the examples use the emulator."""
    prepare_examples(monkeypatch, gradient_emulator.url)


@pytest.fixture(params=["fastapi_app", "litestar_app", "aiohttp_app", "django_app"])
async def app_url(request: pytest.FixtureRequest, examples: None) -> AsyncIterator[str]:
    app = load_app(request.param)
    async with serve_with_aiohttp(app) if isinstance(app, web.Application) else serve_with_uvicorn(app) as url:
        yield url


async def test_a_stream_is_forwarded_completely(app_url: str, gradient_emulator: Emulator) -> None:
    gradient_emulator.reply(LONG)
    async with aiohttp.ClientSession() as client, client.post(f"{app_url}/stream", json=REQUEST) as response:
        assert response.content_type == "text/event-stream"
        assert response.headers["X-Accel-Buffering"] == "no"
        events = SSEParser().feed(await response.read())
    assert events[-1].data == "[DONE]"
    text = "".join(json.loads(event.data)["choices"][0]["delta"].get("content") or "" for event in events[:-1])
    assert text == LONG


async def test_a_whole_completion_is_forwarded(app_url: str, gradient_emulator: Emulator) -> None:
    gradient_emulator.reply(LONG)
    async with aiohttp.ClientSession() as client, client.post(f"{app_url}/chat", json=REQUEST) as response:
        assert (await response.json())["choices"][0]["message"]["content"] == LONG


@pytest.mark.parametrize("path", ["stream", "chat"])
async def test_a_disconnected_client_ends_the_upstream_request(
    app_url: str, gradient_emulator: Emulator, path: str
) -> None:
    gradient_emulator.reply(LONG)
    gradient_emulator.stall(seconds=60, after=2 if path == "stream" else None)
    async with aiohttp.ClientSession() as client:
        call = asyncio.ensure_future(client.post(f"{app_url}/{path}", json=REQUEST))
        await wait_until(lambda: gradient_emulator.requests)
        await asyncio.sleep(0.05)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        if not call.cancelled():
            call.result().close()
    await wait_until(lambda: not gradient_emulator.active)
    assert gradient_emulator.requests[0].disconnected


ERRORS: list[tuple[dict[str, Any], int, str | None]] = [
    ({"status": 400}, 400, None),
    ({"status": 401}, 502, None),
    ({"status": 404}, 502, None),
    ({"status": 503, "retry_after": 7.0}, 503, "7"),
    ({"status": 429, "retry_after": 600.0}, 429, None),
    ({"status": 200}, 429, None),  # refused by the limiter
]


@pytest.mark.parametrize("path", ["stream", "chat"])
async def test_errors_become_the_status_that_tells_a_client_what_to_do(
    app_url: str, gradient_emulator: Emulator, path: str
) -> None:
    async with aiohttp.ClientSession() as client:
        for fault, status, retry_after in ERRORS:
            if fault["status"] >= 400:
                gradient_emulator.fail(**fault)
            async with client.post(f"{app_url}/{path}", json=REQUEST) as response:
                assert response.status == status
                assert (await response.json())["message"]
                if status == 429:
                    assert 500 < int(response.headers["Retry-After"]) < 800
                else:
                    assert response.headers.get("Retry-After") == retry_after
    assert len(gradient_emulator.requests) == len(ERRORS) - 1


@pytest.mark.parametrize("path", ["stream", "chat"])
async def test_a_silent_model_becomes_a_gateway_timeout(app_url: str, gradient_emulator: Emulator, path: str) -> None:
    gradient_emulator.stall(seconds=60)
    async with aiohttp.ClientSession() as client, client.post(f"{app_url}/{path}", json=REQUEST) as response:
        assert response.status == 504
    await wait_until(lambda: not gradient_emulator.active)


@pytest.mark.usefixtures("examples")
async def test_workers_share_one_budget_over_redis(
    gradient_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    with run_redis_server() as server:
        monkeypatch.setenv("REDIS_URL", server.url)
        async with (
            serve_with_uvicorn(load_app("litestar_app")) as one,
            serve_with_uvicorn(load_app("fastapi_app")) as two,
        ):
            async with aiohttp.ClientSession() as client:
                for url in (one, two, one):
                    async with client.post(f"{url}/chat", json=REQUEST) as response:
                        assert response.status == 200
            async with open_limiter(server.url, (250, 60.0), key="default") as limiter:
                await limiter.acquire()
                assert limiter.status().windows[0].used == 4
    assert len(gradient_emulator.requests) == 3
