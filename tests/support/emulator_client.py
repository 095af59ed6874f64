"""Plain HTTP clients of the emulator: raw responses, and shorthands for the calls that its tests make."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterable, Awaitable, Callable
from typing import Any

import aiohttp
import attrs
from multidict import CIMultiDictProxy
from yarl import URL

from gradient_async.testing import Emulator

KEY = {"Authorization": "Bearer key"}
CHAT = "/v1/chat/completions"
AGENT_CHAT = "/api/v1/chat/completions?agent=true"
TERMINAL = ("completed", "failed", "expired", "cancelled")


def chat_body(text: str = "Tell me about limits", **fields: Any) -> dict[str, Any]:
    """The body of a chat completion request."""
    return {"model": "llama3.3-70b-instruct", "messages": [{"role": "user", "content": text}], **fields}


def chat_line(custom_id: str, text: str = "hi", **fields: Any) -> dict[str, Any]:
    """A line of a batch of chat completions."""
    body = {"model": "m", "messages": [{"role": "user", "content": text}], **fields}
    return {"custom_id": custom_id, "method": "POST", "url": CHAT, "body": body}


def chat_lines(count: int) -> list[dict[str, Any]]:
    """Lines of a batch with the ids ``id-0``, ``id-1``, ..."""
    return [chat_line(f"id-{number}", f"What is {number} + 1?") for number in range(count)]


def encode_jsonl(lines: list[Any]) -> bytes:
    """The bytes of a JSON Lines file."""
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


@attrs.frozen
class RawResponse:
    """A response with its complete body."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def lines(self) -> list[Any]:
        """The values of a JSON Lines body."""
        return [json.loads(line) for line in self.body.split(b"\n") if line]

    @property
    def events(self) -> list[str]:
        """The events of a stream; of events without a name, only the data."""
        return [part.removeprefix("data: ") for part in self.body.decode().split("\n\n") if part]

    @property
    def named_events(self) -> list[tuple[str, Any]]:
        """The name and the JSON data of each event of a stream."""
        blocks = [block.split("\n") for block in self.body.decode().split("\n\n") if block]
        return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in blocks]

    @property
    def chunks(self) -> list[Any]:
        """The JSON objects of a stream."""
        return [json.loads(event) for event in self.events if event.startswith("{")]

    @property
    def text(self) -> str:
        """The text of a streamed chat completion."""
        deltas = [chunk["choices"][0]["delta"] for chunk in self.chunks if chunk["choices"]]
        return "".join(delta.get("content") or "" for delta in deltas)

    @property
    def s3_code(self) -> str:
        """The code in an XML error of the storage host; empty in any other body."""
        return self.body.partition(b"<Code>")[2].partition(b"</Code>")[0].decode()

    @property
    def choice(self) -> Any:
        """The first choice of a chat completion."""
        return self.json["choices"][0]

    @property
    def content(self) -> str:
        """The text of a chat completion."""
        content: str = self.choice["message"]["content"]
        return content


@attrs.frozen
class EmulatorClient:
    """Sends requests and reads their complete responses."""

    http: aiohttp.ClientSession
    emulator: Emulator

    async def send(self, body: Any = None, path: str = CHAT, method: str = "POST", **options: Any) -> RawResponse:
        """Send *body* (by default a chat completion request) to a path or URL."""
        options = {"headers": KEY, "allow_redirects": False, **options}
        data = body if isinstance(body, bytes) else json.dumps(chat_body() if body is None else body).encode()
        url = path if path.startswith("http") else self.emulator.url + path
        async with self.http.request(method, url, data=data if method == "POST" else None, **options) as response:
            return RawResponse(response.status, response.headers, await response.read())

    async def get(self, path: str, **options: Any) -> RawResponse:
        return await self.send(path=path, method="GET", **options)

    async def ask(self, text: str = "Tell me about limits", **fields: Any) -> RawResponse:
        return await self.send(chat_body(text, **fields))

    async def stream(self, text: str = "Tell me about limits", **fields: Any) -> RawResponse:
        return await self.send(chat_body(text, stream=True, **fields))


@attrs.frozen
class BatchClient:
    """Calls the batch endpoints and the storage host."""

    http: aiohttp.ClientSession
    emulator: Emulator

    async def send(self, method: str, url: str, **options: Any) -> RawResponse:
        """Send a request to *url*, verbatim."""
        async with self.http.request(method, URL(url, encoded=True), **options) as response:
            return RawResponse(response.status, response.headers, await response.read())

    async def call(self, method: str, path: str, body: Any = None) -> RawResponse:
        """Call an endpoint of the API."""
        return await self.send(method, self.emulator.url + path, json=body, headers=KEY)

    async def create_intent(self, name: str = "in.jsonl") -> Any:
        return (await self.call("POST", "/v1/batches/files", {"file_name": name})).json

    async def put(
        self, url: str, data: bytes | io.BytesIO | AsyncIterable[bytes] = b"{}", **options: Any
    ) -> RawResponse:
        return await self.send("PUT", url, data=data, **options)

    async def upload(self, lines: list[Any] | bytes) -> str:
        """Upload an input file; return its id."""
        intent = await self.create_intent()
        data = lines if isinstance(lines, bytes) else encode_jsonl(lines)
        response = await self.put(intent["upload_url"], io.BytesIO(data))
        assert response.status == 200
        file_id: str = intent["file_id"]
        return file_id

    async def create(self, uploaded: str, /, **fields: Any) -> RawResponse:
        """Call the create endpoint; a field that is ``...`` is left out."""
        body = {"file_id": uploaded, "provider": "openai", "endpoint": CHAT, "request_id": "r-1", **fields}
        return await self.call("POST", "/v1/batches", {name: value for name, value in body.items() if value is not ...})

    async def submit(self, lines: list[Any] | bytes, **fields: Any) -> Any:
        """Upload an input file and create a job; return the job."""
        response = await self.create(await self.upload(lines), **fields)
        assert response.status == 201, response.body
        return response.json

    async def retrieve(self, batch_id: str) -> Any:
        return (await self.call("GET", f"/v1/batches/{batch_id}")).json

    async def cancel(self, batch_id: str) -> RawResponse:
        return await self.call("POST", f"/v1/batches/{batch_id}/cancel")

    async def wait(self, batch_id: str) -> Any:
        """Poll until the status is terminal, stepping the jobs of an emulator without a duration; return the job."""
        while True:
            if self.emulator.batches.seconds is None:
                self.emulator.batches.advance()
            job = await self.retrieve(batch_id)
            if job["status"] in TERMINAL:
                return job
            await asyncio.sleep(0.005)

    async def links(self, batch_id: str) -> Any:
        return (await self.call("GET", f"/v1/batches/{batch_id}/results")).json

    async def results(self, batch_id: str) -> tuple[list[Any], list[Any]]:
        """The lines of the output file and of the error sidecar."""
        links = await self.links(batch_id)
        output, errors = [
            (await self.send("GET", url)).lines if url else []
            for url in (links["output_file_url"], links["error_file_url"])
        ]
        return output, errors

    async def run(self, lines: list[Any] | bytes, **fields: Any) -> tuple[Any, list[Any], list[Any]]:
        """Submit a job and wait; return the job and its results."""
        job = await self.wait((await self.submit(lines, **fields))["batch_id"])
        return (job, *await self.results(job["batch_id"]))


NewClient = Callable[[Emulator], EmulatorClient]
NewBatchClient = Callable[[Emulator], BatchClient]
OpenStream = Callable[..., Awaitable[aiohttp.ClientResponse]]
