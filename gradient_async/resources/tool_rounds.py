"""The bounded tool loop: call the model, run its tool calls, send the results.

Contract: at most *max_rounds* requests. The tool calls of one reply run concurrently, each in its own task, at
most *concurrency* at once. A tool that fails is reported to the model; cancelling the loop cancels the running tools.
`_protocol.schema.tool_loop` explains the rules.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import attrs

from gradient_async._io.http.call_details import ToolCallDetails, ToolRunDetails
from gradient_async._io.http.hooks import ToolHook
from gradient_async._io.http.observation import begin_observation
from gradient_async._protocol.requests.chat import AGENT_MODEL, reject_stream
from gradient_async._protocol.requests.parameters import require_iterable
from gradient_async._protocol.schema.dialect import Dialect
from gradient_async._protocol.schema.tool_loop import (
    Conversation,
    Toolbox,
    build_round_params,
    build_toolbox,
    check_bounds,
    identify_calls,
    sum_usage,
    too_many_rounds_error,
    with_error,
    with_result,
)
from gradient_async.errors import GradientError, InterruptedCall
from gradient_async.models.chat import ToolCall
from gradient_async.models.tool_run import ToolRun, ToolStep

Send = Callable[[Mapping[str, Any]], Awaitable[Any]]

_EXPECTED = "a list, as [{'role': 'user', 'content': 'Hello'}]"


async def run_tool_rounds(
    send: Send,
    dialect: Dialect[Any],
    params: Mapping[str, Any],
    tools: Iterable[Any],
    *,
    max_rounds: int,
    concurrency: int,
    in_threads: bool,
    hooks: Sequence[ToolHook] = (),
) -> ToolRun[Any, Any, Any]:
    """Run the conversation that begins with *params* to its end; *send* fetches each reply.

    Raises:
        ConfigurationError: The call cannot work; nothing was sent.
        ToolRoundsError: The model called tools in every round.
        GradientError: A request failed; ``messages`` has the conversation so far.
    """
    reject_stream(params)
    check_bounds(max_rounds=max_rounds, concurrency=concurrency)
    toolbox = build_toolbox(dialect, require_iterable("tools", tools, "a list of functions"))
    messages = require_iterable(dialect.conversation, params.get(dialect.conversation), _EXPECTED)
    slots = asyncio.Semaphore(concurrency)
    loop = _ToolLoop(send, dialect, params, toolbox, messages, slots, in_threads=in_threads, hooks=hooks)
    rounds = loop.run_rounds(max_rounds)
    try:
        return await (_observe_run(hooks, params, rounds) if hooks else rounds)
    except GradientError as error:
        if isinstance(error, InterruptedCall):
            error.messages = loop.messages
            error.snapshot = error.snapshot or (loop.replies[-1] if loop.replies else None)
        raise


@attrs.define
class _ToolLoop:
    """The state of one conversation."""

    send: Send
    dialect: Dialect[Any]
    params: Mapping[str, Any]
    toolbox: Toolbox
    messages: Conversation
    slots: asyncio.Semaphore
    in_threads: bool = attrs.field(kw_only=True)
    hooks: Sequence[ToolHook] = attrs.field(kw_only=True)
    replies: list[Any] = attrs.field(factory=list, init=False)
    steps: list[ToolStep] = attrs.field(factory=list, init=False)

    async def run_rounds(self, max_rounds: int) -> ToolRun[Any, Any, Any]:
        for number in range(1, max_rounds + 1):
            params = build_round_params(self.dialect, self.params, self.messages, self.toolbox.definitions, number)
            reply = await self.send(params)
            self.replies.append(reply)
            calls = identify_calls(self.dialect, self.dialect.list_calls(reply), self.messages)
            if calls and number == max_rounds:
                raise too_many_rounds_error(max_rounds, reply, calls)
            steps = await self._run_calls([ToolStep(round=number, call=call) for call in calls])
            self.steps += steps
            self.messages = [*self.messages, *self.dialect.write_round(reply, calls, steps)]
            if not calls:
                break
        return ToolRun(
            completion=self.replies[-1],
            messages=self.messages,
            steps=self.steps,
            usage=sum_usage(reply.usage for reply in self.replies),
        )

    async def _run_calls(self, steps: list[ToolStep]) -> list[ToolStep]:
        """Run the tool calls of one round concurrently."""
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._observe_call(step) if self.hooks else self._run_call(step)) for step in steps
            ]
        return [task.result() for task in tasks]

    async def _observe_call(self, step: ToolStep) -> ToolStep:
        """Run one tool call and report it to hooks."""
        with begin_observation([hook.begin_tool_call for hook in self.hooks], self._describe_call(step.call)) as seen:
            step = await seen.run(self._run_call(step))
        seen.report_end(step, "done" if step.ok else "error", step.error)
        return step

    def _describe_call(self, call: ToolCall) -> ToolCallDetails:
        _, tool = self.toolbox.functions.get(call.function.name, (None, None))
        return ToolCallDetails(
            id=call.id,
            name=call.function.name,
            description=None if tool is None else tool.definition["function"].get("description"),
            arguments=call.function.arguments,
        )

    async def _run_call(self, step: ToolStep) -> ToolStep:
        """Run one tool call; any failure becomes the content for the model."""
        try:
            function, tool = self.toolbox.get_function(step.call.function.name)
            step = attrs.evolve(step, arguments=tool.parse_arguments(step.call.function.arguments))
            async with self.slots:
                result = await self._call_function(partial(function, **(step.arguments or {})), function)
            return with_result(step, result)
        except asyncio.CancelledError:
            if _is_being_cancelled():
                raise
            return with_error(step, RuntimeError("the function awaited a task that was cancelled"))
        except Exception as error:  # noqa: BLE001 - a tool may raise anything; the step and the model get the error
            return with_error(step, error)

    async def _call_function(self, call: Callable[[], Any], function: Callable[..., Any]) -> Any:
        use_thread = self.in_threads and not inspect.iscoroutinefunction(function)
        result = await asyncio.to_thread(_call_without_stop_iteration, call) if use_thread else call()
        return await result if inspect.isawaitable(result) else result


async def _observe_run(
    hooks: Sequence[ToolHook], params: Mapping[str, Any], rounds: Coroutine[Any, Any, ToolRun[Any, Any, Any]]
) -> ToolRun[Any, Any, Any]:
    """Await the rounds of a conversation and report it to *hooks*."""
    model = params.get("model")
    details = ToolRunDetails(model=model if isinstance(model, str) and model != AGENT_MODEL else None, params=params)
    with begin_observation([hook.begin_tool_run for hook in hooks], details) as seen:
        run = await seen.run(rounds)
    seen.report_end(run, "done")
    return run


def _is_being_cancelled() -> bool:
    """Whether somebody cancels the running task; otherwise a `CancelledError` in it is that of another task."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def _call_without_stop_iteration(call: Callable[[], Any]) -> Any:
    """Call a function in a thread. A future cannot hold StopIteration: its waiter would wait forever."""
    try:
        return call()
    except StopIteration as error:
        raise RuntimeError("the function raised StopIteration") from error
