"""The example of LangGraph behind FastAPI, on a real socket. Run it with ``make test-frameworks``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest

from gradient_async import SSEParser
from gradient_async.testing import Emulator
from tests.support.waiting import wait_until
from tests.support.web_servers import load_example, prepare_examples, serve_with_uvicorn

pytest.importorskip("langgraph", reason="`make test-frameworks` installs it")
pytestmark = pytest.mark.filterwarnings("default")  # the frameworks warn of themselves
REQUEST = {"messages": [{"role": "user", "content": "Hi"}]}
LONG = "one two three four five six seven eight nine ten"


@pytest.fixture
async def address(gradient_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    prepare_examples(monkeypatch, gradient_emulator.url)
    async with serve_with_uvicorn(load_example("langgraph_app").app) as url:
        yield f"{url}/stream"


async def test_the_tokens_of_an_agent_are_streamed(address: str, gradient_emulator: Emulator) -> None:
    gradient_emulator.reply(LONG)
    async with aiohttp.ClientSession() as client, client.post(address, json=REQUEST) as response:
        assert (response.content_type, response.headers["X-Accel-Buffering"]) == ("text/event-stream", "no")
        texts = [json.loads(event.data)["text"] for event in SSEParser().feed(await response.read())]
    assert "".join(texts) == LONG
    assert len(texts) > 2


async def test_a_reader_who_leaves_stops_the_model(address: str, gradient_emulator: Emulator) -> None:
    gradient_emulator.reply(LONG)
    gradient_emulator.stall(seconds=60, after=3)
    async with aiohttp.ClientSession() as client:
        response = await client.post(address, json=REQUEST)
        assert await response.content.readany()
        await asyncio.sleep(0.05)
        response.close()
    await wait_until(lambda: not gradient_emulator.active)
    assert gradient_emulator.requests[0].disconnected


async def test_an_error_is_the_last_event(address: str, gradient_emulator: Emulator) -> None:
    gradient_emulator.fail(status=400)
    async with aiohttp.ClientSession() as client, client.post(address, json=REQUEST) as response:
        (event,) = SSEParser().feed(await response.read())
    assert event.event == "error"
    assert json.loads(event.data)["request_id"] == gradient_emulator.requests[0].request_id
