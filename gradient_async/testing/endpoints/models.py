"""The list of models, and the health check.

Contract: pure.
Source: the models endpoint of the Inference API reference; an agent's own ``/health``.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import Reply, Response, apply_reply, json_response

_CREATED = 1_735_689_600


@attrs.frozen
class ModelList:
    """The models endpoint; *slugs* are the existing models."""

    slugs: Sequence[str]

    def list_models(self, _: RecordedRequest, reply: Reply | None) -> Response:
        """Respond with all models on one page."""
        models = [
            {"id": slug, "object": "model", "created": _CREATED, "owned_by": slug.partition("-")[0]}
            for slug in self.slugs
        ]
        return apply_reply(reply, json_response({"object": "list", "data": models}))


def report_health(_: RecordedRequest, reply: Reply | None) -> Response:
    """Respond that the service is healthy."""
    return apply_reply(reply, json_response({"status": "ok"}))
