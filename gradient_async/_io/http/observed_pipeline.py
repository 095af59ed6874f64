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

from gradient_async._io.http.hooks import CallDetails, CallHook, CallOutcome, told
from gradient_async._io.http.pipeline import Pipeline
from gradient_async._io.http.reply import R, Reply
from gradient_async._io.http.target import Target
from gradient_async._protocol.codec.converter import decode_json
from gradient_async._protocol.requests.request import AGENT_MODEL, Request

End = Callable[[CallOutcome], object]


@attrs.define(eq=False, repr=False)
class Watched:
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
            self.ended(None, outcome, error)

    def ended(self, result: Any, outcome: str, error: BaseException | None = None) -> None:
        """Tell how the call ended."""
        details = CallOutcome(outcome=outcome, result=result, error=error, elapsed=self._clock() - self._began)
        ends, self._ends = self._ends, ()
        for end in ends:
            told(end, details)


@attrs.define(eq=False, repr=False, kw_only=True)
class WatchedPipeline(Pipeline):
    """A pipeline whose calls are told to hooks."""

    call_hooks: Sequence[CallHook]

    async def answer(self, request: Request, target: Target, decode: Callable[[bytes], R]) -> R:
        """Return what *decode* makes of the answer to *request*.

        Raises:
            GradientError: As `send`, or what *decode* raises.
        """
        with self._begun(request, target) as watched:
            result = await super().answer(request, target, decode)
        watched.ended(result, "done")
        return result

    def opener(self, request: Request, target: Target) -> Callable[[], Awaitable[Reply]]:
        """Return what sends *request* for a stream, which then says itself how the call ended."""
        return partial(self._open, request, target)

    async def _open(self, request: Request, target: Target) -> Reply:
        with self._begun(request, target) as watched:
            reply = await self.send(request, target)
        reply.on_end = watched.ended
        return reply

    def _begun(self, request: Request, target: Target) -> Watched:
        details = _details(request, target)
        ends = [told(hook.begin_call, details) for hook in self.call_hooks]
        return Watched([end for end in ends if end is not None], asyncio.get_running_loop().time)


def _details(request: Request, target: Target) -> CallDetails:
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
