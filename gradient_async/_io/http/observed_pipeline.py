"""A pipeline that reports the beginning and the end of each call to hooks.

Contract: a hook that saw the beginning of a call sees its end exactly once, however the call or its stream ends. The
attempts of a call run in its context. An exception in a hook does not reach the call.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from gradient_async._io.http.call_details import CallDetails
from gradient_async._io.http.hooks import CallHook
from gradient_async._io.http.observation import Observation, begin_observation
from gradient_async._io.http.pipeline import Pipeline
from gradient_async._io.http.reply import R, Reply
from gradient_async._io.http.target import Target
from gradient_async._protocol.codec.converter import decode_json
from gradient_async._protocol.requests.chat import AGENT_MODEL
from gradient_async._protocol.requests.request import Request
from gradient_async.errors import ResponseDecodeError


class ObservedPipeline(Pipeline):
    """A pipeline with call hooks."""

    def __init__(self, *, call_hooks: Sequence[CallHook], **parts: Any) -> None:
        super().__init__(**parts)
        self.call_hooks = call_hooks

    async def send_and_decode(self, request: Request, target: Target, decode: Callable[[bytes], R]) -> R:
        """Send *request* and return its decoded response.

        Raises:
            GradientError: As `send`, or raised by *decode*.
        """
        return await self._observe_result(request, target, super().send_and_decode(request, target, decode))

    async def send_and_decode_typed(self, request: Request, target: Target, decode: Callable[[bytes, str], R]) -> R:
        """Send *request* and return its response, decoded from its body and its ``Content-Type``.

        Raises:
            GradientError: As `send`, or raised by *decode*.
        """
        return await self._observe_result(request, target, super().send_and_decode_typed(request, target, decode))

    async def _observe_result(self, request: Request, target: Target, sending: Coroutine[Any, Any, R]) -> R:
        with self._begin_call(request, target) as call:
            result = await call.run(sending)
        call.report_end(result, "done")
        return result

    def build_opener(self, request: Request, target: Target) -> Callable[[], Awaitable[Reply]]:
        """Return a function that sends *request*, for a stream that reports its own end."""
        return partial(self._open_stream, request, target)

    async def _open_stream(self, request: Request, target: Target) -> Reply:
        with self._begin_call(request, target) as call:
            reply = await call.run(self.send(request, target))
        reply.on_end = call.report_end
        return reply

    def _begin_call(self, request: Request, target: Target) -> Observation:
        return begin_observation([hook.begin_call for hook in self.call_hooks], _describe_call(request, target))


def _describe_call(request: Request, target: Target) -> CallDetails:
    params = {} if request.body is None else _decode_params(request.body)
    model = params.get("model", params.get("model_id"))
    return CallDetails(
        method=request.method,
        url=(target.base_url + request.path).partition("?")[0],
        model=model if isinstance(model, str) and model != AGENT_MODEL else None,
        stream=request.stream,
        params=params,
    )


def _decode_params(body: bytes) -> dict[str, Any]:
    """Return the parameters in a body; ``{}`` if it is no JSON object, as a form and bytes are not."""
    try:
        params = decode_json(body)
    except ResponseDecodeError:
        return {}
    return params if isinstance(params, dict) else {}
