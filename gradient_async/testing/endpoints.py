"""The table of endpoints: a new noun gets its own module and its lines here.

Contract: every path the emulator answers is in this table.
Source: the paths of the Agent Inference and Inference API references.
"""

from __future__ import annotations

from collections.abc import Sequence

from gradient_async.testing.catalog import Catalog, health
from gradient_async.testing.chat import Chat, Model
from gradient_async.testing.router import Endpoint

_COMPLETIONS = "/v1/chat/completions"
_MODELS = "/v1/models"


def endpoints(model: Model, *, models: Sequence[str], strict: bool) -> tuple[Endpoint, ...]:
    """Return all endpoints.

    Args:
        model: What answers where nothing is scripted.
        models: The slugs of the models.
        strict: Whether a request for another model is refused.
    """
    chat = Chat(model=model, known=models if strict else None)
    return (
        Endpoint(
            method="POST",
            path=_COMPLETIONS,
            answer=chat.answer,
            check=chat.check,
            generates=True,
            upstream=_COMPLETIONS,
        ),
        Endpoint(
            method="POST",
            path=f"/api{_COMPLETIONS}",
            answer=chat.answer_agent,
            check=chat.check_agent,
            generates=True,
            agent=True,
            upstream=_COMPLETIONS,
        ),
        Endpoint(method="GET", path=_MODELS, answer=Catalog(models).answer, upstream=_MODELS),
        Endpoint(method="GET", path="/health", answer=health, public=True),
    )
