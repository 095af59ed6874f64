"""Raw calls of the batch API and of its storage host."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import attrs
import pytest
from yarl import URL

from gradient_async.testing import Emulator

KEY = {"Authorization": "Bearer key"}
CHAT = "/v1/chat/completions"


def chat_line(custom_id: str, text: str = "hi", **body: Any) -> dict[str, Any]:
    said = {"model": "m", "messages": [{"role": "user", "content": text}], **body}
    return {"custom_id": custom_id, "method": "POST", "url": CHAT, "body": said}


def jsonl(lines: list[Any]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


@attrs.define
class Answer:
    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.body.split(b"\n") if line]


@attrs.define
class Calls:
    http: aiohttp.ClientSession
    gradient: Emulator

    async def send(self, method: str, url: str, **options: Any) -> Answer:
        async with self.http.request(method, URL(url, encoded=True), **options) as response:
            return Answer(response.status, response.headers, await response.read())

    async def api(self, method: str, path: str, body: Any = None) -> Answer:
        return await self.send(method, self.gradient.url + path, json=body, headers=KEY)

    async def intend(self, name: str = "in.jsonl") -> Any:
        return (await self.api("POST", "/v1/batches/files", {"file_name": name})).json

    async def put(self, url: str, data: Any = b"{}", **options: Any) -> Answer:
        return await self.send("PUT", url, data=data, **options)

    async def upload(self, lines: list[Any] | bytes) -> str:
        intent = await self.intend()
        answer = await self.put(intent["upload_url"], io.BytesIO(lines if isinstance(lines, bytes) else jsonl(lines)))
        assert answer.status == 200
        return intent["file_id"]

    async def create(self, uploaded: str, /, **fields: Any) -> Answer:
        body = {"file_id": uploaded, "provider": "openai", "endpoint": CHAT, "request_id": "r-1", **fields}
        return await self.api("POST", "/v1/batches", {name: value for name, value in body.items() if value is not ...})

    async def submit(self, lines: list[Any] | bytes, **fields: Any) -> Any:
        answer = await self.create(await self.upload(lines), **fields)
        assert answer.status == 201, answer.body
        return answer.json

    async def get(self, batch_id: str) -> Any:
        return (await self.api("GET", f"/v1/batches/{batch_id}")).json

    async def end(self, batch_id: str) -> Any:
        """Poll to the end, stepping where time stands still."""
        while True:
            if self.gradient.batches.seconds is None:
                self.gradient.batches.advance()
            job = await self.get(batch_id)
            if job["status"] in ("completed", "failed", "expired", "cancelled"):
                return job
            await asyncio.sleep(0.005)

    async def links(self, batch_id: str) -> Any:
        return (await self.api("GET", f"/v1/batches/{batch_id}/results")).json

    async def results(self, batch_id: str) -> tuple[list[Any], list[Any]]:
        links = await self.links(batch_id)
        urls = links["output_file_url"], links["error_file_url"]
        return tuple([(await self.send("GET", url)).lines if url else [] for url in urls])

    async def run(self, lines: list[Any] | bytes, **fields: Any) -> tuple[Any, list[Any], list[Any]]:
        job = await self.end((await self.submit(lines, **fields))["batch_id"])
        return (job, *await self.results(job["batch_id"]))


@pytest.fixture
def line() -> Callable[..., dict[str, Any]]:
    return chat_line


@pytest.fixture
def lines() -> Callable[[int], list[dict[str, Any]]]:
    return lambda count: [chat_line(f"id-{number}", f"What is {number} + 1?") for number in range(count)]


@pytest.fixture
def dump() -> Callable[[list[Any]], bytes]:
    return jsonl


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A client that does not hide a broken connection: aiohttp would send a GET or a PUT a second time."""
    async with aiohttp.ClientSession() as session:
        session._retry_connection = False
        yield session


@pytest.fixture
async def gradient() -> AsyncIterator[Emulator]:
    """An emulator whose jobs wait for `advance`."""
    async with Emulator(batch_seconds=None) as emulator:
        yield emulator


@pytest.fixture
def calls(http: aiohttp.ClientSession, gradient: Emulator) -> Calls:
    return Calls(http, gradient)


@pytest.fixture
def calls_of(http: aiohttp.ClientSession) -> Callable[[Emulator], Calls]:
    return lambda emulator: Calls(http, emulator)
