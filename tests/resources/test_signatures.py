"""Signatures that Jupyter, IPython and `help` show, held to the TypedDicts."""

from __future__ import annotations

import inspect
import pydoc
from collections.abc import Callable
from inspect import Parameter
from typing import Any

import pytest

from gradient_async import AsyncSession, params
from gradient_async.resources.batch.options import SubmitOptions

METHODS: dict[str, tuple[Callable[[AsyncSession], Any], Any]] = {
    "chat create": (lambda s: s.chat.completions.create, params.ChatParams),
    "chat stream": (lambda s: s.chat.completions.stream, params.ChatParams),
    "chat parse": (lambda s: s.chat.completions.parse, params.ParseParams),
    "chat run_tools": (lambda s: s.chat.completions.run_tools, params.RunToolsParams),
    "chat map": (lambda s: s.chat.completions.map, params.MapParams),
    "agent create": (lambda s: s.agent("https://a.example").chat.completions.create, params.AgentParams),
    "request": (lambda s: s.request, params.RawRequestParams),
    "agent request": (lambda s: s.agent("https://a.example").request, params.RawRequestParams),
    "messages create": (lambda s: s.messages.create, params.MessagesParams),
    "messages map": (lambda s: s.messages.map, params.MessagesMapParams),
    "responses create": (lambda s: s.responses.create, params.ResponsesParams),
    "responses stream": (lambda s: s.responses.stream, params.ResponsesParams),
    "embeddings create": (lambda s: s.embeddings.create, params.EmbeddingParams),
    "embeddings map": (lambda s: s.embeddings.map, params.SharedEmbeddingParams),
    "images generate": (lambda s: s.images.generate, params.ImageParams),
    "images stream": (lambda s: s.images.stream, params.ImageStreamParams),
    "speech": (lambda s: s.audio.speech.create, params.SpeechParams),
    "videos": (lambda s: s.videos.create, params.VideoParams),
    "rerank": (lambda s: s.rerank.create, params.RerankParams),
    "systemone": (lambda s: s.systemone.create, params.SystemOneParams),
    "retrieve": (lambda s: s.knowledge_bases.retrieve, params.RetrieveParams),
    "async_invoke": (lambda s: s.async_invoke.create, params.InvocationParams),
    "batches submit": (lambda s: s.batches.submit, SubmitOptions),
    "batches run": (lambda s: s.batches.run, SubmitOptions),
}
each_method = pytest.mark.parametrize(("find", "documented"), METHODS.values(), ids=METHODS)


@each_method
def test_a_signature_has_every_documented_parameter(find: Callable[[AsyncSession], Any], documented: Any) -> None:
    method = find(AsyncSession("key"))
    shown = inspect.signature(method).parameters
    assert set(documented.__annotations__) <= set(shown)
    assert [each.kind for each in shown.values()][-1] is Parameter.VAR_KEYWORD
    assert set(method.__kwdefaults__ or ()) <= set(shown)
    assert "self" not in shown
    assert set(inspect.signature(method.__func__).parameters) == {"self", *shown}


@pytest.mark.parametrize(
    ("name", "required"),
    [
        ("chat create", {"model", "messages"}),
        ("chat parse", {"model", "messages", "response_format"}),
        ("agent create", {"messages"}),
        ("messages create", {"model", "messages", "max_tokens"}),
        ("responses create", {"model", "input"}),
        ("embeddings create", {"model", "input"}),
        ("images generate", {"model", "prompt"}),
        ("request", {"method", "path"}),
        ("rerank", {"model", "query", "documents"}),
    ],
)
def test_a_signature_knows_the_required_parameters(name: str, required: set[str]) -> None:
    shown = inspect.signature(METHODS[name][0](AsyncSession("key"))).parameters.values()
    named = [each for each in shown if each.kind is not Parameter.VAR_KEYWORD]
    assert {each.name for each in named if each.default is Parameter.empty} == required


def test_help_shows_the_parameters_with_their_types() -> None:
    text = pydoc.plain(pydoc.render_doc(AsyncSession("key").chat.completions.create))
    assert "create(*,messages:'Iterable[" in "".join(text.split())  # CPython 3.13 breaks long lines
    assert "temperature: 'float | None' = None" in text
    assert "Required[" not in text
    assert "Send one request" in text


def test_a_signature_binds_as_a_call_does() -> None:
    signature = inspect.signature(AsyncSession("key").chat.completions.create)
    assert signature.bind(model="m", messages=[], something_new=1).arguments["params"] == {"something_new": 1}
    with pytest.raises(TypeError, match=r"missing a required .*argument: 'messages'"):
        signature.bind(model="m")
    assert signature.replace(return_annotation=int).parameters == signature.parameters
