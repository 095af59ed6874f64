"""Sends the chat requests of one host: what chat completions and agents have in common.

Source: ``POST /v1/chat/completions`` and ``POST /api/v1/chat/completions?agent=true``.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import attrs

from gradient_async._io.http.pipeline import Pipeline
from gradient_async._io.http.target import Target
from gradient_async._protocol.http.body_reader import read_completion
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.request import Request, build_chat_request
from gradient_async.models.chat import ChatCompletion

if TYPE_CHECKING:
    from gradient_async._io.stream.chat_stream import ChatStream


@attrs.frozen(eq=False, repr=False)
class Caller:
    """Sends chat requests to one host.

    Attributes:
        model: What stands for the model where none is named, None where one has to be.
    """

    pipeline: Pipeline
    target: Callable[[], Target]
    path: str
    timeouts: Timeouts
    max_event_bytes: int
    model: str | None = None

    def create(
        self, params: Mapping[str, Any], timeout: float | Timeouts | None
    ) -> Coroutine[Any, Any, ChatCompletion]:
        """Return a whole answer."""
        return self._answer(self._request(params, timeout, stream=False))

    def create_in_bulk(
        self, timeout: float | Timeouts | None, params: Mapping[str, Any]
    ) -> Coroutine[Any, Any, ChatCompletion]:
        """Do the same as one of many, behind whoever waits for a single answer; *params* may have their own timeout."""
        own = dict(params)
        timeout = own.pop("timeout", timeout)
        request = self._request(own, timeout, stream=False)
        return self._answer(attrs.evolve(request, priority="bulk", timeout_excludes_limiter_wait=True))

    def _answer(self, request: Request) -> Coroutine[Any, Any, ChatCompletion]:
        return self.pipeline.send_and_decode(request, self.target(), read_completion)

    def stream(self, params: Mapping[str, Any], timeout: float | Timeouts | None) -> ChatStream:
        """Return an answer as a stream that is not opened yet."""
        request = self._request(params, timeout, stream=True)
        opener = self.pipeline.build_opener(request, self.target())
        return _stream_class()(opener, max_event_bytes=self.max_event_bytes)

    def _request(self, params: Mapping[str, Any], timeout: float | Timeouts | None, *, stream: bool) -> Request:
        if self.model is not None and not params.get("model"):
            params = {**params, "model": self.model}
        return build_chat_request(self.path, params, stream=stream, timeouts=self.timeouts.override_with(timeout))


@cache
def _stream_class() -> type[ChatStream]:
    """Return `ChatStream`, which is loaded late with all that chunks need: many programs never stream."""
    from gradient_async._io.stream.chat_stream import ChatStream

    return ChatStream
