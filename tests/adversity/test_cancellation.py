"""Every public coroutine, cancelled at every await, once and twice, ends as cancelled and leaves nothing behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.adversity.cancelling import CancelledAt
from tests.adversity.public_calls import CALLS, World, list_coroutines, open_world
from tests.support.leaks import assert_nothing_leaked

MAX_AWAITS = 500


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as world:
        yield world


def test_the_table_has_every_public_coroutine() -> None:
    assert list_coroutines() <= {name for names in CALLS for name in names.split(", ")}


@pytest.mark.parametrize("name", CALLS)
async def test_a_call_cancelled_at_any_await_leaves_nothing(world: World, name: str) -> None:
    before = asyncio.all_tasks()
    for cut in range(1, MAX_AWAITS):
        for cuts in ((cut,), (cut, cut + 1)):
            work = CancelledAt(CALLS[name](world), cuts)
            (result,) = await asyncio.gather(asyncio.ensure_future(run(work)), return_exceptions=True)
            await assert_nothing_leaked(world.session, before, world.emulator)
            if not work.reached:
                assert not isinstance(result, BaseException)
                return
            assert isinstance(result, asyncio.CancelledError), f"await {cut}: {result!r}"
    pytest.fail(f"more than {MAX_AWAITS} awaits")


async def run(work: CancelledAt) -> object:
    return await work
