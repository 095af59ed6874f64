"""The table of endpoints: a new noun gets its own module and its lines here.

Contract: every path the emulator answers is in this table, or in that of a service with a memory of its own.
Source: the paths of the Agent Inference and Inference API references.
"""

from __future__ import annotations

from collections.abc import Sequence

from gradient_async.testing.endpoints.chat import Chat, Model
from gradient_async.testing.endpoints.embeddings import Embeddings
from gradient_async.testing.endpoints.images import Images
from gradient_async.testing.endpoints.messages import Messages
from gradient_async.testing.endpoints.models import Catalog, health
from gradient_async.testing.endpoints.responses import Responses
from gradient_async.testing.http.router import Endpoint

_COMPLETIONS = "/v1/chat/completions"
_EMBEDDINGS = "/v1/embeddings"
_IMAGES = "/v1/images/generations"
_MODELS = "/v1/models"
_MESSAGES = "/v1/messages"
_RESPONSES = "/v1/responses"


def endpoints(model: Model, *, models: Sequence[str], strict: bool) -> tuple[Endpoint, ...]:
    """Return all endpoints.

    Args:
        model: What answers where nothing is scripted.
        models: The slugs of the models.
        strict: Whether a request for another model is refused.
    """
    known = models if strict else None
    chat, embeddings, images = Chat(model=model, known=known), Embeddings(known), Images(known)
    return (
        *_other_answers(model, known=known),
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
        Endpoint(
            method="POST",
            path=_EMBEDDINGS,
            answer=embeddings.answer,
            check=embeddings.check,
            upstream=_EMBEDDINGS,
        ),
        Endpoint(method="POST", path=_IMAGES, answer=images.answer, check=images.check, upstream=_IMAGES),
        Endpoint(method="GET", path=_MODELS, answer=Catalog(models).answer, upstream=_MODELS),
        Endpoint(method="GET", path="/health", answer=health, public=True),
    )


def _other_answers(model: Model, *, known: Sequence[str] | None) -> tuple[Endpoint, ...]:
    """Return the endpoints whose answers are a model's, in other shapes than a chat completion's."""
    nouns: dict[str, Messages | Responses] = {
        _MESSAGES: Messages(model=model, known=known),
        _RESPONSES: Responses(model=model, known=known),
    }
    return tuple(
        Endpoint(method="POST", path=path, answer=noun.answer, check=noun.check, generates=True, upstream=path)
        for path, noun in nouns.items()
    )
