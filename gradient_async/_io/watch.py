"""Those who watch calls: told when one begins and how it ended.

Contract: a watcher that fails breaks nothing of what it watches; it is told the end of a call exactly once if it was
told its beginning, whichever way the call or its stream ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from gradient_async._io.calls import CallDetails, CallHook, CallOutcome
from gradient_async._io.log import logger
from gradient_async._io.target import Target
from gradient_async._protocol.codec import decode_json
from gradient_async._protocol.request import AGENT_MODEL, Request

End = Callable[[CallOutcome], object]


@attrs.define(eq=False, repr=False)
class Watched:
    """A call under way that somebody watches."""

    _ends: Sequence[End]
    _clock: Callable[[], float]
    _began: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._began = self._clock()

    def failed(self, error: BaseException) -> None:
        """Tell that the call raised *error*."""
        outcome = "cancelled" if isinstance(error, asyncio.CancelledError) else "error"
        self.ended(None, outcome, error)

    def ended(self, result: Any, outcome: str, error: BaseException | None = None) -> None:
        """Tell how the call ended."""
        details = CallOutcome(outcome=outcome, result=result, error=error, elapsed=self._clock() - self._began)
        ends, self._ends = self._ends, ()
        for end in ends:
            _safely(end, details)


def begun(hooks: Sequence[CallHook], request: Request, target: Target) -> Watched:
    """Tell *hooks* that a call begins."""
    params = _params(request)
    model = params.get("model")
    details = CallDetails(
        method=request.method,
        url=(target.base_url + request.path).partition("?")[0],
        model=model if isinstance(model, str) and model != AGENT_MODEL else None,
        stream=request.stream,
        params=params,
    )
    ends = [_safely(hook.begin_call, details) for hook in hooks]
    return Watched([end for end in ends if end is not None], asyncio.get_running_loop().time)


def _params(request: Request) -> dict[str, Any]:
    params = {} if request.body is None else decode_json(request.body)
    return params if isinstance(params, dict) else {}


def _safely(hook: Callable[[Any], Any], details: object) -> Any:
    try:
        return hook(details)
    except Exception:  # noqa: BLE001 - a watcher must not break what it watches
        logger.exception("a hook failed")
        return None
