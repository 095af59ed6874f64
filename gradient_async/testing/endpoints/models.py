"""The list of models, and the health check.

Contract: pure.
Source: the models endpoint of the Inference API reference; an agent's own ``/health``.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import Answer, Reply, json_answer

_CREATED = 1_735_689_600


@attrs.frozen
class Catalog:
    """The models that exist."""

    slugs: Sequence[str]

    def answer(self, _: RecordedRequest, reply: Reply | None) -> Answer:
        """Answer with all models; there are no pages."""
        models = [
            {"id": slug, "object": "model", "created": _CREATED, "owned_by": slug.partition("-")[0]}
            for slug in self.slugs
        ]
        answer = json_answer({"object": "list", "data": models})
        return reply.style(answer) if reply else answer


def health(_: RecordedRequest, reply: Reply | None) -> Answer:
    """Answer that all is well."""
    answer = json_answer({"status": "ok"})
    return reply.style(answer) if reply else answer
