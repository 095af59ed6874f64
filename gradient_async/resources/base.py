"""The untyped half of the resources: their fields, and how a stream is created.

Contract: the subclasses declare the typed keyword arguments of each call; PEP 692 offers no way to share those.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from gradient_async._io.http.pipeline import Pipeline
from gradient_async._io.http.target import Target
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.request import Request
from gradient_async.resources.signatures import show_parameters

if TYPE_CHECKING:
    from gradient_async.resources.interfaces import StreamClass

S = TypeVar("S")


class Resource:
    """A part of the API, as an attribute of a session.

    Attributes:
        _pipeline: Sends the requests.
        _target: Returns address, key and limiter; raises if the key is missing.
        _timeouts: The time limits of the session.
    """

    def __init__(self, pipeline: Pipeline, target: Callable[[], Target], timeouts: Timeouts) -> None:
        self._pipeline = pipeline
        self._target = target
        self._timeouts = timeouts

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        show_parameters(cls)


class StreamingResource(Resource):
    """A resource with results that can be streamed.

    Attributes:
        _max_event_bytes: Maximum size of one server-sent event, in bytes.
    """

    def __init__(
        self, pipeline: Pipeline, target: Callable[[], Target], timeouts: Timeouts, *, max_event_bytes: int
    ) -> None:
        super().__init__(pipeline, target, timeouts)
        self._max_event_bytes = max_event_bytes

    def _new_stream(self, stream_class: StreamClass[S], request: Request) -> S:
        """Return a new stream, before its request is sent."""
        opener = self._pipeline.build_opener(request, self._target())
        return stream_class(opener, max_event_bytes=self._max_event_bytes)
