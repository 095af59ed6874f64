"""What comes of a call, between the pipeline and whoever decodes the answer.

Contract: values without behaviour of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import attrs

from gradient_async._io.http.exchange import Exchange
from gradient_async.errors import GradientError
from gradient_async.models.response_meta import ResponseMeta


class DecodedResult(Protocol):
    """A decoded answer."""

    meta: ResponseMeta


R = TypeVar("R", bound=DecodedResult)


@attrs.define(eq=False, repr=False)
class Reply:
    """A successful answer: its body, or for a stream the exchange that is still open.

    Attributes:
        on_end: Called with result, outcome and error when a stream ends; None if nobody watches.
    """

    exchange: Exchange
    body: bytes
    meta: ResponseMeta
    deadline: float
    started_at: float
    on_end: Callable[[Any, str, BaseException | None], None] | None = None

    def decode_body(self, decode: Callable[[bytes], R]) -> R:
        """Return the body as what *decode* makes of it, with its meta; an error of *decode* tells the request."""
        try:
            result = decode(self.body)
        except GradientError as error:
            error.request_id, error.attempts = error.request_id or self.meta.request_id, self.meta.attempts
            raise
        result.meta = self.meta
        return result
