"""The arguments of a session and of its views: their checks and defaults, their names and their signatures.

Contract: nothing here does I/O. What only some arguments need is loaded for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from inspect import Parameter, Signature, iscoroutinefunction
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from gradient_async._io.http.hooks import (
    CallHook,
    Hook,
    ToolHook,
    WaitHook,
    observes_calls,
    observes_tools,
    observes_waits,
)
from gradient_async._io.http.target import Headers
from gradient_async._protocol.http import credentials
from gradient_async._protocol.http.retry import RetryPolicy
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async.errors import ConfigurationError, is_count, quote_argument

if TYPE_CHECKING:
    from gradient_async._protocol.http.proxies import Proxy
    from gradient_async._protocol.rate_limit.priority_queue import Priority
    from gradient_async.resources.signatures import ParameterSignature

F = TypeVar("F", bound=Callable[..., Any])

AnyHook = Hook | CallHook | WaitHook | ToolHook
_PRIORITIES = ("interactive", "bulk")


class ViewOptions:
    """The settings of one view of a session.

    Attributes:
        retry: What is sent again.
        timeouts: The time limits of a call.
        hooks: Observers of attempts, calls, waits and tools.
        headers: Headers of every request.
        priority: Place of the requests at the limiter.
    """

    def __init__(
        self,
        *,
        retry: RetryPolicy,
        timeouts: Timeouts,
        hooks: tuple[AnyHook, ...] = (),
        headers: Headers = (),
        priority: Priority = "interactive",
    ) -> None:
        self.retry = retry
        self.timeouts = timeouts
        self.hooks = hooks
        self.headers = headers
        self.priority = priority
        if not isinstance(self.retry, RetryPolicy):
            raise ConfigurationError(
                f"retry must be a RetryPolicy, as RetryPolicy(attempts=3); got {quote_argument(self.retry)}."
            )
        if not isinstance(self.timeouts, Timeouts):
            raise ConfigurationError(
                f"timeouts must be Timeouts, as Timeouts(total=30); got {quote_argument(self.timeouts)}."
            )
        if self.priority not in _PRIORITIES:
            raise ConfigurationError(f"priority must be 'interactive' or 'bulk'; got {quote_argument(self.priority)}.")
        _check_hooks(self.hooks)

    def override_with(
        self,
        *,
        retry: RetryPolicy | None,
        timeouts: Timeouts | None,
        hooks: Iterable[AnyHook],
        headers: Mapping[str, str] | None,
        priority: Priority | None,
    ) -> ViewOptions:
        """Return these options with those that are given in their place; hooks and headers are added."""
        return ViewOptions(
            retry=self.retry if retry is None else retry,
            timeouts=self.timeouts if timeouts is None else timeouts,
            hooks=(*self.hooks, *collect_hooks(hooks)),
            headers=merge_headers(self.headers, headers),
            priority=self.priority if priority is None else priority,
        )


def resolve_address(
    argument: str,
    given: object,
    variables: tuple[str, ...],
    environ: Mapping[str, str],
    *,
    allow_insecure: bool,
) -> credentials.Setting:
    """Look an address up and normalize it; that of the inference service has a default.

    Raises:
        ConfigurationError: It is not an address, or an insecure one.
    """
    setting = credentials.find_setting(argument, given, variables, environ)
    if setting.value is None and argument == "base_url":
        setting = credentials.Setting(argument, variables, credentials.DEFAULT_BASE_URL, "the default")
    return credentials.normalize_address(setting, allow_insecure=allow_insecure)


def merge_headers(base: Headers, added: Mapping[str, str] | None) -> Headers:
    """Return the headers of a session with *added* ones; checks are loaded only if there are any.

    Raises:
        ConfigurationError: One of *added* cannot be set.
    """
    if not added:
        return base
    from gradient_async._protocol.http import headers

    return headers.merge_headers(base, added)


def find_proxy(address: object) -> Proxy | None:
    """Return the proxy at *address*, None without one.

    Raises:
        ConfigurationError: It is not the address of an HTTP proxy.
    """
    if address is None:
        return None
    from gradient_async._protocol.http.proxies import parse_proxy

    return parse_proxy(address)


def collect_hooks(hooks: Iterable[AnyHook]) -> tuple[AnyHook, ...]:
    """Return *hooks* as a tuple; raise `ConfigurationError` for a single one."""
    if isinstance(hooks, Iterable):
        return tuple(hooks)
    raise ConfigurationError(f"hooks must be a list, as hooks=[print]; got {quote_argument(hooks)}.")


def require_event_size(size: int) -> int:
    """Return the largest *size* of an event in bytes; raise `ConfigurationError` unless it is a number above 0."""
    if is_count(size):
        return size
    raise ConfigurationError(f"max_event_bytes={quote_argument(size)}: give at least 1 byte.")


def _check_hooks(hooks: tuple[Any, ...]) -> None:
    if not all(map(_observes_anything, hooks)):
        raise ConfigurationError(
            "hooks: each must be callable, to observe attempts, or have begin_call, begin_wait, or begin_tool_run and "
            "begin_tool_call, to observe calls, waits or tools."
        )
    functions: tuple[Callable[..., Any], ...] = tuple(filter(callable, hooks))
    if any(map(iscoroutinefunction, functions)):
        raise ConfigurationError(
            "hooks: one is an async function. Hooks are called and not awaited; write def instead of async def."
        )


def _observes_anything(hook: object) -> bool:
    return callable(hook) or observes_calls(hook) or observes_waits(hook) or observes_tools(hook)


def name_right_settings(function: F) -> F:
    """Decorate a function that takes settings: an unknown one is a TypeError with the right name."""
    code = function.__code__
    known = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if unknown := kwargs.keys() - known:
            from gradient_async._setting_names import suggest_setting  # most programs are right

            name = min(unknown)
            where = function.__qualname__.removesuffix(".__init__")
            raise TypeError(f"{where} has no argument {name!r}; {suggest_setting(name, known)}.")
        return function(*args, **kwargs)

    return cast("F", call)


class LateSignature(Signature):
    """A `ParameterSignature` that is read on demand: its modules are not loaded with a session."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(return_annotation=function.__annotations__.get("return", Signature.empty))
        self._function = function

    @property
    def parameters(self) -> MappingProxyType[str, Parameter]:
        """All parameters: those that are required first, then any other keyword."""
        return self._read().parameters

    def replace(self, **changes: Any) -> Signature:  # type: ignore[override]  # as that of a `ParameterSignature`
        """Return a plain signature with *changes*, as that of a bound method is made."""
        return self._read().replace(**changes)

    def _read(self) -> ParameterSignature:
        from gradient_async.resources.signatures import ParameterSignature

        return ParameterSignature(self._function)


def show_parameters_late(function: F) -> F:
    """Decorate a method that takes a TypedDict: its signature has the keys."""
    function.__signature__ = LateSignature(function)  # type: ignore[attr-defined]  # of any function
    return function
