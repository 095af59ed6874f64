"""What hooks see: attempts, and calls from beginning to end.

Contract: frozen values; a session needs them for its own signature, so this loads nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

import attrs

from gradient_async.errors import GradientError


@attrs.frozen(kw_only=True)
class AttemptDetails:
    """One attempt, as hooks see it.

    Attributes:
        url: Without its query.
        attempt: Its number within the call, from 1.
        limiter_wait: Seconds spent waiting for a permit.
        status: The HTTP status, None if no answer came.
        error: How it failed, None if it did not.
        elapsed: Seconds from the request being handed to the pool to the end of the attempt; for a stream, to its
            status line.
    """

    method: str
    url: str
    attempt: int
    limiter_wait: float
    status: int | None
    request_id: str | None
    error: GradientError | None
    elapsed: float


@attrs.frozen(kw_only=True)
class CallDetails:
    """A call that begins, as hooks see it: it lasts until its answer or the end of its stream, over every attempt.

    Attributes:
        url: Without its query.
        model: The model that is asked; None if none is, as where an agent chooses its own.
        stream: Whether the answer is wanted as a stream.
        params: What is sent, the prompt included; empty if nothing is.
    """

    method: str
    url: str
    model: str | None
    stream: bool
    params: Mapping[str, Any] = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class CallOutcome:
    """How a call ended, as hooks see it.

    Attributes:
        outcome: ``"done"``, ``"error"``, ``"cancelled"``, or how its stream ended.
        result: The answer, None if there is none; of a stream what arrived of it. Its ``meta`` has the timings.
        error: What was raised, None if nothing was.
        elapsed: Seconds from the beginning of the call.
    """

    outcome: str
    result: Any = attrs.field(repr=False)
    error: BaseException | None
    elapsed: float


class CallHook(Protocol):
    """Something that watches calls."""

    def begin_call(self, call: CallDetails, /) -> Callable[[CallOutcome], object] | None:
        """Note that *call* begins; return what is to be called at its end."""
        ...


Hook = Callable[[AttemptDetails], object]
"""Called with the details of each attempt when it has ended; an error in it is logged and goes no further."""


# MERGED: The library's logger: silent unless the application listens.
logger = logging.getLogger("gradient_async")
logger.addHandler(logging.NullHandler())
D = TypeVar("D")
R = TypeVar("R")


def call_hook(hook: Callable[[D], R], details: D) -> R | None:
    """Tell *hook* the *details* and return what it returns; one that fails is logged and breaks nothing."""
    try:
        return hook(details)
    except Exception:
        logger.exception("a hook failed")
        return None
