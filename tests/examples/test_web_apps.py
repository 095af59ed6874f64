"""The web examples behind real servers: a client that disconnects ends the upstream request."""

import asyncio
import importlib
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvicorn
from aiohttp import web

from gradient_async import SSEParser
from gradient_async.testing import Emulator
from tests.support.waiting import wait_until

EXAMPLES = Path(__file__).parents[2] / "examples"
REQUEST = {"messages": [{"role": "user", "content": "Hi"}]}
LONG = "one two three four five six seven eight nine ten"


@asynccontextmanager
async def serve_with_uvicorn(app: Any) -> AsyncIterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on", ws="none"))
        task = asyncio.ensure_future(server.serve([listening]))
        while not server.started:
            await asyncio.sleep(0.005)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        await task


@asynccontextmanager
async def serve_with_aiohttp(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield "http://{}:{}".format(*runner.addresses[0])
    await runner.cleanup()


@pytest.fixture(params=["fastapi_app", "litestar_app", "aiohttp_app"])
async def app_url(
    request: pytest.FixtureRequest, gradient_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[str]:
    monkeypatch.setenv("GRADIENT_INFERENCE_ENDPOINT", gradient_emulator.url)
    monkeypatch.setenv("MODEL_ACCESS_KEY", "test")
    monkeypatch.syspath_prepend(str(EXAMPLES))
    module = importlib.reload(importlib.import_module(request.param))
    uses_aiohttp = hasattr(module, "application")
    server = serve_with_aiohttp(module.application()) if uses_aiohttp else serve_with_uvicorn(module.app)
    async with server as url:
        yield url


async def test_a_stream_is_forwarded_completely(app_url: str, gradient_emulator: Emulator) -> None:
    gradient_emulator.reply(LONG)
    async with aiohttp.ClientSession() as client, client.post(f"{app_url}/stream", json=REQUEST) as response:
        assert response.content_type == "text/event-stream"
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
