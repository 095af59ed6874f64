"""The table of the stateless endpoints.

Contract: every path of the emulator is in this table, or in that of a service with state of its own (batches,
asynchronous invocations).
Source: the paths of the Agent Inference and Inference API references.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from gradient_async.testing.endpoints.chat import ChatEndpoint
from gradient_async.testing.endpoints.embeddings import EmbeddingsEndpoint
from gradient_async.testing.endpoints.images import ImagesEndpoint
from gradient_async.testing.endpoints.knowledge_bases import KnowledgeBaseEndpoint
from gradient_async.testing.endpoints.messages import MessagesEndpoint
from gradient_async.testing.endpoints.models import ModelList, report_health
from gradient_async.testing.endpoints.rerank import RerankEndpoint
from gradient_async.testing.endpoints.responses import ResponsesEndpoint
from gradient_async.testing.endpoints.speech import SpeechEndpoint, SpeechShape
from gradient_async.testing.endpoints.systemone import SystemOneEndpoint
from gradient_async.testing.endpoints.text_generation import LanguageModel
from gradient_async.testing.http.router import Endpoint
from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import Reply, Response

_COMPLETIONS = "/v1/chat/completions"
_MODELS = "/v1/models"


def build_endpoint_table(
    model: LanguageModel,
    *,
    models: Sequence[str],
    strict: bool,
    speech_shape: SpeechShape,
    lenient_agent: bool,
    passages: Mapping[str, Sequence[str]],
) -> tuple[Endpoint, ...]:
    """Return the stateless endpoints.

    Args:
        model: The model that generates the unscripted content.
        models: The slugs of the models.
        strict: Whether a request for any other model is refused.
        speech_shape: The form of the responses with speech.
        lenient_agent: Whether an agent takes what live agents take.
        passages: The texts of each knowledge base by its id.
    """
    known = models if strict else None
    chat = ChatEndpoint(model=model, known=known, lenient_agent=lenient_agent)
    messages = MessagesEndpoint(model=model, known=known)
    responses = ResponsesEndpoint(model=model, known=known)
    embeddings, images = EmbeddingsEndpoint(known), ImagesEndpoint(known)
    rerank, systemone = RerankEndpoint(known), SystemOneEndpoint(known)
    knowledge_bases = KnowledgeBaseEndpoint(passages)
    speech = SpeechEndpoint(known=known, shape=speech_shape)
    agent_chat = Endpoint(
        method="POST",
        path=f"/api{_COMPLETIONS}",
        respond=chat.complete_agent_chat,
        check=chat.check_agent_chat,
        generates=True,
        agent=True,
        upstream=_COMPLETIONS,
    )
    return (
        _forwarded_post("/v1/messages", messages.create_message, messages.check_message, generates=True),
        _forwarded_post("/v1/responses", responses.create_response, responses.check_response, generates=True),
        agent_chat,
        attrs.evolve(agent_chat, path=_COMPLETIONS),
        _forwarded_post(_COMPLETIONS, chat.complete_chat, chat.check_chat, generates=True),
        _forwarded_post("/v1/embeddings", embeddings.embed_texts, embeddings.check_embeddings),
        _forwarded_post("/v1/images/generations", images.generate_images, images.check_images),
        _forwarded_post("/v1/audio/speech", speech.speak_text, speech.check_speech),
        _forwarded_post("/v1/rerank", rerank.rank_documents, rerank.check_rerank),
        _forwarded_post("/v1/systemone", systemone.evaluate_state, systemone.check_evaluation),
        Endpoint(
            method="POST",
            path="/v1/{knowledge_base_id}/retrieve",
            respond=knowledge_bases.retrieve_passages,
            check=knowledge_bases.check_query,
        ),
        Endpoint(method="GET", path=_MODELS, respond=ModelList(models).list_models, upstream=_MODELS),
        Endpoint(method="GET", path="/health", respond=report_health, agent=True, public=True),
    )


def _forwarded_post(
    path: str,
    respond: Callable[[RecordedRequest, Reply | None], Response],
    check: Callable[[RecordedRequest], Response | None],
    **options: Any,
) -> Endpoint:
    """Return a POST endpoint with the same path on an upstream server."""
    return Endpoint(method="POST", path=path, respond=respond, check=check, upstream=path, **options)
