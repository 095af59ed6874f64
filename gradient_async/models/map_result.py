"""The result of one request of a ``map``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from gradient_async.errors import GradientError
from gradient_async.models.chat import ChatCompletion
from gradient_async.models.response_meta import Timings


@attrs.frozen(kw_only=True)
class MapResult:
    """The result of one request of a ``map``: a completion or an error.

    Attributes:
        index: The position among the requests, from 0.
        request: The parameters of the request, as the caller gave them.
        completion: The completion, None if the request failed.
        error: The error, None if the request succeeded.
        timings: The durations of the call, in seconds.
    """

    index: int
    request: Mapping[str, Any]
    completion: ChatCompletion | None = None
    error: GradientError | None = None
    timings: Timings = attrs.field(factory=Timings)

    @property
    def ok(self) -> bool:
        """Whether the request succeeded."""
        return self.error is None

    @property
    def text(self) -> str:
        """The text of the completion, ``""`` if there is none."""
        return "" if self.completion is None else self.completion.text
