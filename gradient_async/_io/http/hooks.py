"""Hooks and the logger: how a program observes attempts and calls.

Contract: hooks receive frozen values; an exception in a hook is logged and does not reach the call. The logger
``gradient_async`` is silent until the program configures logging. Of an error that the service sent it shows class,
status and request id, never the message, which may quote a prompt. Sessions need these names for their signature, so
this module loads no other module of ours but `errors`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard, TypeVar

from gradient_async.errors import APIStatusError, GradientError, escape_text

if TYPE_CHECKING:
    from gradient_async._io.http.call_details import (
        AttemptDetails,
        CallDetails,
        CallOutcome,
        ToolCallDetails,
        ToolRunDetails,
    )
    from gradient_async._protocol.rate_limit.wait_details import WaitDetails, WaitObserver, WaitOutcome

logger = logging.getLogger("gradient_async")
logger.addHandler(logging.NullHandler())
_ID_CHARS = 100

D = TypeVar("D")
R = TypeVar("R")


class CallHook(Protocol):
    """An observer of calls.

    Each call has a context of its own: a context variable that `begin_call` sets is seen by all that is done for the
    call, and by nothing else.
    """

    def begin_call(self, call: CallDetails, /) -> Callable[[CallOutcome], object] | None:
        """Observe the beginning of *call*.

        Returns:
            A function to be called once with the `CallOutcome`, or None to ignore the end.
        """
        ...


class ToolHook(Protocol):
    """An observer of ``run_tools``: of each conversation, and of each call of a tool within.

    Each has a context of its own, as calls have: a variable that `begin_tool_run` sets is seen by the calls and tools
    of the conversation, one that `begin_tool_call` sets by the function, in a thread as well.
    """

    def begin_tool_run(self, run: ToolRunDetails, /) -> Callable[[CallOutcome], object] | None:
        """Observe the beginning of *run*.

        Returns:
            A function to be called once with the `CallOutcome`, or None to ignore the end.
        """
        ...

    def begin_tool_call(self, call: ToolCallDetails, /) -> Callable[[CallOutcome], object] | None:
        """Observe the beginning of *call*.

        Returns:
            A function to be called once with the `CallOutcome`, or None to ignore the end.
        """
        ...


class WaitHook(Protocol):
    """An observer of calls that wait for more than a second at the rate limiter."""

    def begin_wait(self, wait: WaitDetails, /) -> Callable[[WaitOutcome], object] | None:
        """Observe the beginning of *wait*.

        Returns:
            A function to be called once with the `WaitOutcome`, or None to ignore the end.
        """
        ...


if TYPE_CHECKING:
    Hook = Callable[[AttemptDetails], object]
    """An observer of attempts: called with the details of each when it has ended. Exceptions are logged and ignored."""
else:
    Hook = Callable[[Any], object]  # a program without hooks need not define the class


def observes_calls(hook: object) -> TypeGuard[CallHook]:
    """Whether *hook* observes calls."""
    return hasattr(hook, "begin_call")


def observes_tools(hook: object) -> TypeGuard[ToolHook]:
    """Whether *hook* observes conversations with tools."""
    return hasattr(hook, "begin_tool_run") and hasattr(hook, "begin_tool_call")


def observes_waits(hook: object) -> TypeGuard[WaitHook]:
    """Whether *hook* observes long waits at the limiter."""
    return hasattr(hook, "begin_wait")


def call_hook(hook: Callable[[D], R], details: D) -> R | None:
    """Return ``hook(details)``; log an exception of the hook and return None."""
    try:
        return hook(details)
    except Exception:
        logger.exception("a hook failed")
        return None


def report_attempt(hooks: Sequence[Hook], details: AttemptDetails) -> None:
    """Write *details* to the log, and call *hooks* with them."""
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug("%s", format_attempt(details))
    for hook in hooks:
        call_hook(hook, details)


def format_attempt(details: AttemptDetails) -> str:
    """Return the line of an attempt in the log: method, address, status or error, milliseconds, request id."""
    result = str(details.status) if details.status is not None else format_error(details.error)
    result = "cancelled" if details.cancelled else result
    facts = [f"{details.method} {details.url}: {result} in {details.elapsed * 1000:.0f} ms"]
    facts += [f"request {escape_text(details.request_id, _ID_CHARS)}"] if details.request_id else []
    facts += [f"attempt {details.attempt}"] if details.attempt > 1 else []
    return ", ".join(facts)


def format_error(error: GradientError | None) -> str:
    """Return an error for the log: its class, and its status or message, unless the service wrote the message."""
    if error is None:
        return "no response"
    name = type(error).__name__
    if not isinstance(error, APIStatusError):
        return f"{name}: {error}"
    request = f", request {escape_text(error.request_id, _ID_CHARS)}" if error.request_id else ""
    return f"{name} {error.status}{request}"


def combine_wait_hooks(hooks: Sequence[WaitHook]) -> WaitObserver | None:
    """Return an observer that passes each wait on to all *hooks*, None without hooks."""
    if not hooks:
        return None

    def begin_wait(wait: WaitDetails) -> Callable[[WaitOutcome], object]:
        ends = [call_hook(hook.begin_wait, wait) for hook in hooks]
        return lambda outcome: [call_hook(end, outcome) for end in ends if end is not None]

    return begin_wait
