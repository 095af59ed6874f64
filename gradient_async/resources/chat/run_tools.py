"""The loop of asking a model, running the tools it asks for and telling it: what ``run_tools`` does.

Contract: at most *max_rounds* answers are asked for. Tools of one answer run at the same time, each in a task of its
own. A tool that fails is told to the model; cancellation passes through, and ends the others.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Any

import attrs

from gradient_async._protocol.requests.request import MESSAGES_EXPECTED, reject_stream, require_iterable
from gradient_async._protocol.schema.tool_loop import (
    Conversation,
    Toolbox,
    answered,
    checked_rounds,
    failed,
    round_params,
    too_many_rounds,
    toolbox,
    total_usage,
    with_answer,
)
from gradient_async.errors import GradientError
from gradient_async.models.chat import ChatCompletion
from gradient_async.models.tool_run import ToolRun, ToolStep

Ask = Callable[[Mapping[str, Any]], Awaitable[ChatCompletion]]


async def run_tools(
    ask: Ask, params: Mapping[str, Any], tools: Iterable[Any], *, max_rounds: int, in_threads: bool
) -> ToolRun:
    """Return the end of the conversation that begins with *params*, each answer of which *ask* fetches.

    Raises:
        ConfigurationError: The call cannot work; nothing was sent.
        ToolRoundsError: The model asked for tools in every answer.
        GradientError: An answer did not come; ``messages`` has the conversation until then.
    """
    reject_stream(params)
    most = checked_rounds(max_rounds)
    run = _Run(
        ask,
        params,
        toolbox(tools),
        require_iterable("messages", params.get("messages"), MESSAGES_EXPECTED),
        in_threads=in_threads,
    )
    try:
        return await run.to_its_end(most)
    except GradientError as error:
        error.messages = run.messages
        error.snapshot = error.snapshot or (run.completions[-1] if run.completions else None)
        raise


@attrs.define
class _Run:
    """One conversation, as far as it has come."""

    ask: Ask
    params: Mapping[str, Any]
    tools: Toolbox
    messages: Conversation
    in_threads: bool = attrs.field(kw_only=True)
    completions: list[ChatCompletion] = attrs.field(factory=list, init=False)
    steps: list[ToolStep] = attrs.field(factory=list, init=False)

    async def to_its_end(self, max_rounds: int) -> ToolRun:
        for number in range(1, max_rounds + 1):
            completion = await self.ask(round_params(self.params, self.messages, self.tools.definitions, number))
            self.completions.append(completion)
            if not completion.tool_calls:
                return self._ended(completion)
            if number < max_rounds:
                steps = await self._all_run([ToolStep(round=number, call=call) for call in completion.tool_calls])
                self.steps += steps
                self.messages = with_answer(self.messages, completion, steps)
        raise too_many_rounds(max_rounds, self.completions[-1])

    def _ended(self, completion: ChatCompletion) -> ToolRun:
        messages = with_answer(self.messages, completion)
        usage = total_usage(self.completions)
        return ToolRun(completion=completion, messages=messages, steps=self.steps, usage=usage)

    async def _all_run(self, steps: list[ToolStep]) -> list[ToolStep]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._run(step)) for step in steps]
        return [task.result() for task in tasks]

    async def _run(self, step: ToolStep) -> ToolStep:
        """Run one tool; whatever goes wrong with it becomes what the model is told."""
        try:
            function, described = self.tools.found(step.call.function.name)
            step = attrs.evolve(step, arguments=described.arguments(step.call.function.arguments))
            return answered(step, await self._result(partial(function, **(step.arguments or {})), function))
        except Exception as error:  # noqa: BLE001 - a tool may raise anything; the model is told, the step keeps it
            return failed(step, error)

    async def _result(self, call: Callable[[], Any], function: Callable[..., Any]) -> Any:
        is_in_thread = self.in_threads and not inspect.iscoroutinefunction(function)
        result = await asyncio.to_thread(_without_stop, call) if is_in_thread else call()
        return await result if inspect.isawaitable(result) else result


def _without_stop(call: Callable[[], Any]) -> Any:
    """Return what *call* returns; a StopIteration cannot leave a thread, whoever waits for it would wait for ever."""
    try:
        return call()
    except StopIteration as error:
        raise RuntimeError("the function raised StopIteration") from error
