"""Requests that tell in different ways whether their client has left; examples/ are tested with those of frameworks."""

from __future__ import annotations

import asyncio
from typing import Any

import attrs
import pytest

from gradient_async import ConfigurationError, run_until_disconnected


@attrs.define
class AskedRequest:
    """A request that is asked, as BlackSheep's; its client leaves after *asks* questions."""

    asks: int

    async def is_disconnected(self) -> bool:
        self.asks -= 1
        return self.asks < 0


class SilentTransport(asyncio.BaseTransport):
    """A transport that tells nothing, as the one of Sanic behind another server."""


@attrs.define
class TransportRequest:
    transport: Any


async def complete(cancelled: list[bool]) -> str:
    try:
        await asyncio.sleep(0.1)
    except asyncio.CancelledError:
        cancelled.append(True)
        raise
    return "done"


async def test_the_work_of_a_client_that_left_is_cancelled() -> None:
    cancelled: list[bool] = []
    assert await run_until_disconnected(AskedRequest(asks=1), complete(cancelled)) is None
    assert cancelled == [True]


async def test_a_client_that_stays_gets_the_result() -> None:
    assert await run_until_disconnected(AskedRequest(asks=1000), complete([])) == "done"


@pytest.mark.parametrize("request_", [object(), TransportRequest(SilentTransport())])
async def test_a_request_that_does_not_tell_is_refused_and_the_work_cancelled(request_: object) -> None:
    cancelled: list[bool] = []
    with pytest.raises(ConfigurationError, match=r"cannot watch a .*Quart and Sanic cancel a handler themselves"):
        await run_until_disconnected(request_, complete(cancelled))
    assert cancelled == [True]
