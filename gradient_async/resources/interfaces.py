"""The interfaces of the functions that a resource delegates to. Type checkers need this module, programs do not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from gradient_async._io.stream.stream_reader import Opener
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.request import Request
from gradient_async._protocol.schema.dialect import Dialect
from gradient_async._protocol.sources.request_form import RequestForm

T_co = TypeVar("T_co", covariant=True)


class BodyReader(Protocol[T_co]):
    """A reader of the bodies of results."""

    def __call__(self, body: bytes, /) -> T_co:
        """Read *body*."""


class RequestBuilder(Protocol):
    """A function that builds the requests of one endpoint."""

    def __call__(self, params: Mapping[str, Any], /, *, stream: bool, timeouts: Timeouts) -> Request:
        """Build a request."""


class StreamClass(Protocol[T_co]):
    """A class of streams."""

    def __call__(self, opener: Opener, *, max_event_bytes: int) -> T_co:
        """Return a new stream."""


class DialectLoader(Protocol):
    """A function that imports the dialect of one API."""

    def __call__(self) -> Dialect[Any]:
        """Return the dialect."""


class FormLoader(Protocol):
    """A function that imports the form of one API's requests."""

    def __call__(self) -> RequestForm:
        """Return the form."""
