"""Those who watch calls: told when one begins and how it ended.

Contract: a watcher that fails breaks nothing of what it watches; it is told the end of a call exactly once if it was
told its beginning, whichever way the call or its stream ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Self

import attrs

from gradient_async._io.http.hooks import CallDetails, CallHook, CallOutcome, call_hook
from gradient_async._io.http.pipeline import Pipeline
from gradient_async._io.http.reply import R, Reply
from gradient_async._io.http.target import Target
from gradient_async._protocol.codec.converter import decode_json
from gradient_async._protocol.requests.request import AGENT_MODEL, Request

End = Callable[[CallOutcome], object]


@attrs.define(eq=False, repr=False)
class ObservedCall:
    """A call under way that somebody watches; leaving its block by an error tells them that."""

    _ends: Sequence[End]
    _clock: Callable[[], float]
    _began: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._began = self._clock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            outcome = "cancelled" if isinstance(error, asyncio.CancelledError) else "error"
            self.report_end(None, outcome, error)

    def report_end(self, result: Any, outcome: str, error: BaseException | None = None) -> None:
        """Tell how the call ended."""
        details = CallOutcome(outcome=outcome, result=result, error=error, elapsed=self._clock() - self._began)
        ends, self._ends = self._ends, ()
        for end in ends:
            call_hook(end, details)


@attrs.define(eq=False, repr=False, kw_only=True)
class ObservedPipeline(Pipeline):
    """A pipeline whose calls are told to hooks."""

    call_hooks: Sequence[CallHook]

    async def send_and_decode(self, request: Request, target: Target, decode: Callable[[bytes], R]) -> R:
        """Return what *decode* makes of the answer to *request*.

        Raises:
            GradientError: As `send`, or what *decode* raises.
        """
        with self._observe_call(request, target) as observed:
            result = await super().send_and_decode(request, target, decode)
        observed.report_end(result, "done")
        return result

    def build_opener(self, request: Request, target: Target) -> Callable[[], Awaitable[Reply]]:
        """Return what sends *request* for a stream, which then says itself how the call ended."""
        return partial(self._open, request, target)

    async def _open(self, request: Request, target: Target) -> Reply:
        with self._observe_call(request, target) as observed:
            reply = await self.send(request, target)
        reply.on_end = observed.report_end
        return reply

    def _observe_call(self, request: Request, target: Target) -> ObservedCall:
        details = _describe_call(request, target)
        ends = [call_hook(hook.begin_call, details) for hook in self.call_hooks]
        return ObservedCall([end for end in ends if end is not None], asyncio.get_running_loop().time)


def _describe_call(request: Request, target: Target) -> CallDetails:
    params = _params(request)
    model = params.get("model", params.get("model_id"))
    return CallDetails(
        method=request.method,
        url=(target.base_url + request.path).partition("?")[0],
        model=model if isinstance(model, str) and model != AGENT_MODEL else None,
        stream=request.stream,
        params=params,
    )


def _params(request: Request) -> dict[str, Any]:
    params = {} if request.body is None else decode_json(request.body)
    return params if isinstance(params, dict) else {}
