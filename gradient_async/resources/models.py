"""The models that a key may use.

Source: ``GET /v1/models`` of the serverless reference.
"""

from __future__ import annotations

from gradient_async._protocol.http.body_reader import ResponseReader
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.request import Request
from gradient_async.models import ModelList
from gradient_async.resources.base import Resource

_read_models = ResponseReader(ModelList, "data")


class Models(Resource):
    """``session.models``."""

    async def list(self, *, timeout: float | Timeouts | None = None) -> ModelList:
        """Return the models that the key may use.

        Example:
            ``print([model.id for model in await session.models.list()])``

        Args:
            timeout: Seconds for the whole call, or a `Timeouts` for each part of it.

        Returns:
            The `ModelList`, with the models in ``data``.

        Raises:
            APIStatusError: The service refused the request; the subclass says why.
            APIConnectionError: No response came.
            ProtocolError: The response has no models.
        """
        timeouts = self._timeouts.override_with(timeout)
        request = Request(method="GET", path="/v1/models", timeouts=timeouts, idempotent=True)
        return await self._pipeline.send_and_decode(request, self._target(), _read_models)
