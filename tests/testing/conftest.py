"""An emulator whose batches are stepped, and plain HTTP clients of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import aiohttp
import pytest

from gradient_async.testing import Emulator
from tests.support.emulator_client import (
    CHAT,
    KEY,
    BatchClient,
    EmulatorClient,
    NewBatchClient,
    NewClient,
    OpenStream,
    chat_body,
)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A client that shows every broken connection: aiohttp would send a GET or a PUT a second time."""
    async with aiohttp.ClientSession() as session:
        session._retry_connection = False
        yield session


@pytest.fixture
async def gradient() -> AsyncIterator[Emulator]:
    async with Emulator(batch_seconds=None) as emulator:
        yield emulator


@pytest.fixture
def new_client(http: aiohttp.ClientSession) -> NewClient:
    return partial(EmulatorClient, http)


@pytest.fixture
def new_batch_client(http: aiohttp.ClientSession) -> NewBatchClient:
    return partial(BatchClient, http)


@pytest.fixture
def client(new_client: NewClient, gradient: Emulator) -> EmulatorClient:
    return new_client(gradient)


@pytest.fixture
def batch_client(new_batch_client: NewBatchClient, gradient: Emulator) -> BatchClient:
    return new_batch_client(gradient)


@pytest.fixture
def open_stream(http: aiohttp.ClientSession) -> OpenStream:
    """Send a streaming request and return once its headers are there; the test closes the response."""

    async def post(emulator: Emulator, **fields: Any) -> aiohttp.ClientResponse:
        return await http.post(emulator.url + CHAT, json=chat_body(stream=True, **fields), headers=KEY)

    return post
