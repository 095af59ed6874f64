"""Requests, inputs and sessions that most tests of batches need."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from gradient_async import AsyncSession, BatchJob, BatchRequest, Poll, RetryPolicy
from gradient_async.testing import Emulator
from tests.support.raw_server import read_request, run_raw_server

asyncio.set_event_loop(None)  # else looptime makes a loop for the first synchronous test, and nobody closes it

CHAT: Final = "/v1/chat/completions"
CREATE_PATH, FILES_PATH = "/v1/batches", "/v1/batches/files"
OUTPUT_PATH = "/outputs/*"
FAST = Poll(first=0.02, longest=0.05)
QUICK_RETRY = RetryPolicy(first=0.01, longest=0.05)
NewSession = Callable[..., AbstractAsyncContextManager[AsyncSession]]


def body(text: str = "Hello", **fields: Any) -> dict[str, Any]:
    return {"model": "llama3.3-70b-instruct", "messages": [{"role": "user", "content": text}], **fields}


def line(custom_id: object = "a", **fields: Any) -> dict[str, Any]:
    """One line of an input; a field that is None is left out."""
    whole = {"custom_id": custom_id, "method": "POST", "url": CHAT, "body": body(), **fields}
    return {name: value for name, value in whole.items() if value is not None}


def jsonl(*lines: Any) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in lines)


def requests(count: int) -> Iterator[BatchRequest]:
    return (BatchRequest(f"r{number}", body(f"Question {number}")) for number in range(count))


@pytest.fixture
def new_session(gradient_emulator: Emulator) -> NewSession:
    def new(**options: Any) -> AsyncSession:
        given = {"api_key": "test", "base_url": gradient_emulator.url, "retry": QUICK_RETRY, **options}
        return AsyncSession(**given)

    return new


@pytest.fixture(params=["reference", "captured"])
def each_shape(gradient_emulator: Emulator, request: pytest.FixtureRequest) -> None:
    """Runs a test twice: with jobs in the documented and in the captured wire shape."""
    gradient_emulator.batches.shape = request.param


TWO_LINES = jsonl(line("a"), line("b"))


def posts_to(gradient: Emulator, path: str) -> list[Any]:
    """The POST requests to *path* that the emulator has received."""
    return [request for request in gradient.requests if request.method == "POST" and request.path == path]


async def upload_input(session: AsyncSession, data: bytes = TWO_LINES) -> str:
    """Upload *data* as an input file; return its id."""
    file = await session.batches.create_file("in.jsonl")
    return (await session.batches.upload(file, data)).file_id


RESULT_COUNT = 400
RESULT_IDS = sorted(f"r{number}" for number in range(RESULT_COUNT))


@pytest.fixture
async def session(new_session: NewSession) -> AsyncIterator[AsyncSession]:
    async with new_session(limits=None) as session:
        yield session


@pytest.fixture
async def job(gradient_emulator: Emulator, session: AsyncSession) -> BatchJob:
    """A complete job of `RESULT_COUNT` requests, one of which failed."""
    gradient_emulator.batches.seconds = 0.05
    gradient_emulator.batches.fail_line("r7", status=400)
    return await session.batches.run(requests(RESULT_COUNT), poll=FAST)


def download_requests(gradient: Emulator, name: str = "") -> list[Any]:
    """The requests for the output file, or for the error sidecar with *name* ``errors``."""
    return [
        request
        for request in gradient.storage.requests
        if request.method == "GET" and ("errors" in request.path) == (name == "errors")
    ]


async def collect_ids(job: BatchJob) -> list[str]:
    """Read all results of *job*; return their ids."""
    return [result.custom_id async for result in job.results()]


@asynccontextmanager
async def run_storage_host(response: bytes, *, silent: bool = False) -> AsyncIterator[str]:
    """Send the same bytes to every request; then disconnect, or with *silent* wait until the client does."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(response)
        if silent:
            await reader.read()

    async with run_raw_server(serve) as host:
        yield f"http://{host}/out"


def serve_results_at(gradient: Emulator, job: BatchJob, url: str) -> None:
    """Let the service return *url* for the results of *job*."""
    links = {"batch_id": job.batch_id, "result_available": True, "output_file_url": url}
    gradient.fail(200, body=links, content_type="application/json", path="/v1/batches/*/results")


def read_folder(folder: Path) -> dict[str, str]:
    """The text of each file in *folder*."""
    return {path.name: path.read_text() for path in folder.iterdir()}
