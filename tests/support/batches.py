"""Requests, inputs and sessions that most tests of batches need."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from gradient_async import AsyncSession, BatchRequest, Poll, RetryPolicy
from gradient_async.testing import Emulator

asyncio.set_event_loop(None)  # else looptime makes a loop for the first synchronous test, and nobody closes it

CHAT = "/v1/chat/completions"
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
