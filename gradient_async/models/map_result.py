"""What became of one request of many."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from gradient_async.errors import GradientError
from gradient_async.models.chat import ChatCompletion
from gradient_async.models.response_meta import Timings


@attrs.frozen(kw_only=True)
class MapResult:
    """What became of one request of a ``map``.

    Attributes:
        index: Its place among the requests, from 0.
        request: Its parameters, as they were given.
        completion: The answer, None if there is none.
        error: Why there is none.
        timings: Where its time went.
    """

    index: int
    request: Mapping[str, Any]
    completion: ChatCompletion | None = None
    error: GradientError | None = None
    timings: Timings = attrs.field(factory=Timings)

    @property
    def ok(self) -> bool:
        """Whether there is an answer."""
        return self.error is None

    @property
    def text(self) -> str:
        """The answer's text, ``""`` if there is none."""
        return "" if self.completion is None else self.completion.text
