"""Streams and maps that are awaited, entered in a plain block, or never used."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gradient_async import AsyncSession
from gradient_async.testing import Emulator

HI: list[Any] = [{"role": "user", "content": "Hi"}]
Make = Callable[[AsyncSession], Any]
STREAMS: dict[str, Make] = {
    "ChatStream": lambda session: session.chat.completions.stream(model="m", messages=HI),
    "MessageStream": lambda session: session.messages.stream(model="m", max_tokens=9, messages=HI),
    "ResponseStream": lambda session: session.responses.stream(model="m", input="Hi"),
    "ImageStream": lambda session: session.images.stream(model="m", prompt="p"),
}
MAPS: dict[str, Make] = {
    "chat": lambda session: session.chat.completions.map(["Hi"], model="m"),
    "messages": lambda session: session.messages.map(["Hi"], model="m", max_tokens=9),
    "responses": lambda session: session.responses.map(["Hi"], model="m"),
    "embeddings": lambda session: session.embeddings.map(["Hi"], model="m"),
}
each_stream = pytest.mark.parametrize("make", STREAMS.values(), ids=STREAMS)
each_map = pytest.mark.parametrize("make", MAPS.values(), ids=MAPS)
each = pytest.mark.parametrize("make", [*STREAMS.values(), *MAPS.values()], ids=[*STREAMS, *MAPS])


@pytest.fixture(autouse=True)
def _collect_what_tests_drop() -> Iterator[None]:
    yield
    gc.collect()


def _drop(unused: object) -> None:
    del unused
    gc.collect()


@each
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
async def test_awaiting_it_says_how_it_is_used(make: Make, gradient_session: AsyncSession) -> None:
    with pytest.raises(TypeError, match=r"is not awaited; .*'async with"):
        await make(gradient_session)


@each
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
async def test_a_plain_block_says_how_it_is_used(make: Make, gradient_session: AsyncSession) -> None:
    with pytest.raises(TypeError, match=r"has no plain 'with'; .*'async with"), make(gradient_session):
        pass


async def test_a_map_of_batches_and_their_results_say_how_they_are_used(gradient_session: AsyncSession) -> None:
    results: Any = gradient_session.batches.map(["Hi"], model="m")
    with pytest.raises(TypeError, match=r"session\.batches\.map"):
        await results
    lines: Any = gradient_session.batches.job("b").results()
    with pytest.raises(TypeError, match=r"async for result in job\.results"):
        await lines


@each_stream
async def test_a_stream_that_is_never_read_warns_that_nothing_was_sent(
    make: Make, gradient_session: AsyncSession, gradient_emulator: Emulator
) -> None:
    with pytest.warns(RuntimeWarning, match="was never read, so its request was not sent; use it in 'async with"):
        _drop(make(gradient_session))
    assert gradient_emulator.requests == []


@each_map
async def test_a_map_that_is_never_entered_warns_that_nothing_was_sent(
    make: Make, gradient_session: AsyncSession, gradient_emulator: Emulator
) -> None:
    with pytest.warns(RuntimeWarning, match="never entered, so nothing was sent; write 'async with"):
        _drop(make(gradient_session))
    assert gradient_emulator.requests == []


@each_stream
async def test_a_stream_that_was_closed_or_refused_does_not_warn(make: Make, gradient_session: AsyncSession) -> None:
    make(gradient_session).close()
    await gradient_session.aclose()
    with pytest.raises(RuntimeError, match="closed"):
        await make(gradient_session).open()
    gc.collect()


async def test_the_results_of_a_map_show_their_numbers(
    gradient_session: AsyncSession, gradient_emulator: Emulator
) -> None:
    results = gradient_session.chat.completions.map(["one", "two"], model="m")
    assert "not entered; write 'async with" in repr(results)
    async with results:
        gradient_emulator.fail(status=400, times=1)
        assert repr(results) == "<MapResults 0 of 2 done, 0 failed>"
        assert [result.ok async for result in results].count(True) == 1
        assert repr(results) == "<MapResults 2 of 2 done, 1 failed>"
