"""An emulator, a plain HTTP client, and shorthands for the calls most tests make."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import attrs
import pytest

from gradient_async.testing import Emulator

KEY = {"Authorization": "Bearer key"}
PATH = "/v1/chat/completions"


def question(text: str = "Tell me about limits", **fields: Any) -> dict[str, Any]:
    return {"model": "llama3.3-70b-instruct", "messages": [{"role": "user", "content": text}], **fields}


@attrs.define
class Answer:
    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[str]:
        return [part.removeprefix("data: ") for part in self.body.decode().split("\n\n") if part]

    @property
    def chunks(self) -> list[Any]:
        return [json.loads(event) for event in self.events if event.startswith("{")]

    @property
    def text(self) -> str:
        deltas = [c["choices"][0]["delta"] for c in self.chunks if c["choices"]]
        return "".join(delta.get("content") or "" for delta in deltas)

    @property
    def content(self) -> str:
        return self.json["choices"][0]["message"]["content"]


@attrs.define
class Client:
    """Sends one request and reads the whole answer."""

    http: aiohttp.ClientSession
    emulator: Emulator

    async def send(self, body: Any = None, path: str = PATH, method: str = "POST", **options: Any) -> Answer:
        options = {"headers": KEY, "allow_redirects": False} | options
        data = body if isinstance(body, bytes) else json.dumps(question() if body is None else body).encode()
        url = path if path.startswith("http") else self.emulator.url + path
        sent = data if method == "POST" else None
        async with self.http.request(method, url, data=sent, **options) as response:
            return Answer(response.status, response.headers, await response.read())

    async def ask(self, text: str = "Tell me about limits", **fields: Any) -> Answer:
        return await self.send(question(text, **fields))

    async def stream(self, text: str = "Tell me about limits", **fields: Any) -> Answer:
        return await self.send(question(text, stream=True, **fields))


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def gradient() -> AsyncIterator[Emulator]:
    async with Emulator() as emulator:
        yield emulator


@pytest.fixture
def client(http: aiohttp.ClientSession, gradient: Emulator) -> Client:
    return Client(http, gradient)


@pytest.fixture
def client_of(http: aiohttp.ClientSession) -> Callable[[Emulator], Client]:
    return lambda emulator: Client(http, emulator)


@pytest.fixture
def open_stream(http: aiohttp.ClientSession) -> Callable[..., Awaitable[aiohttp.ClientResponse]]:
    """Send a streaming request and return once its headers are there; the test closes the response."""

    async def opened(emulator: Emulator, **fields: Any) -> aiohttp.ClientResponse:
        body = question("Tell me about limits", stream=True, **fields)
        return await http.post(emulator.url + PATH, json=body, headers=KEY)

    return opened
