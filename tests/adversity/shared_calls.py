"""The calls of `tests.adversity.threads`: those of the adversity suite, and calls that share a class or a function."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from functools import partial

import attrs

from gradient_async import AsyncSession
from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import Reply
from tests.adversity import calls
from tests.adversity.calls import build_answer, chat_params, compare, find_numbers
from tests.support.waiting import HANG_SECONDS


@attrs.frozen
class Sum:
    """What `parse` makes of a response."""

    total: int
    inner: Sum | None = None


def add_one(number: int) -> int:
    """Return *number* plus one."""
    return number + 1


async def parse_sum(session: AsyncSession, number: int) -> None:
    completion = await session.chat.completions.parse(**chat_params(number), response_format=Sum)
    compare(completion.parsed, Sum(number, Sum(number)))


async def run_tool(session: AsyncSession, number: int) -> None:
    run = await session.chat.completions.run_tools(**chat_params(number), tools=[add_one])
    compare([step.result for step in run.steps], [number + 1])
    compare(run.completion.text, build_answer(number))


CALLS: dict[str, Callable[[AsyncSession, int], Awaitable[object]]] = {
    **{name: call.run for name, call in calls.CALLS.items()},
    "batch": partial(calls.run_batch, timeout=HANG_SECONDS),
    "parse": parse_sum,
    "tools": run_tool,
}


def answer_thread(request: RecordedRequest) -> Reply | str | None:
    """Return the answer to a call of a thread; a handler for `Emulator.on_request`."""
    numbers = find_numbers(request.body) if request.generates else []
    if "response_format" in request.fields:
        return json.dumps({"total": numbers[0], "inner": {"total": numbers[0], "inner": None}})
    if "tools" in request.fields and b'"tool_call_id"' not in request.body:
        return Reply(tool_calls=[{"name": "add_one", "arguments": {"number": numbers[0]}}])
    return calls.answer_prompt(request)
