"""The models a key may use.

Source: ``GET /v1/models``.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from gradient_async._io.http.pipeline import Pipeline
from gradient_async._io.http.target import Target
from gradient_async._protocol.http.body_reader import ResponseReader
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.request import Request
from gradient_async.models import ModelList

_read_models = ResponseReader(ModelList, "data")
"""Returns the models in the body of a successful answer."""


@attrs.frozen
class Models:
    """``session.models``."""

    _pipeline: Pipeline
    _target: Callable[[], Target]
    _timeouts: Timeouts

    async def list(self, *, timeout: float | Timeouts | None = None) -> ModelList:
        """Return every model that the key may use, in ``data``.

        Raises:
            APIStatusError: The service refused; the class says how.
            APIConnectionError: No answer came.
            ProtocolError: The answer has no models.
        """
        timeouts = self._timeouts.override_with(timeout)
        request = Request(method="GET", path="/v1/models", timeouts=timeouts, idempotent=True)
        return await self._pipeline.send_and_decode(request, self._target(), _read_models)
