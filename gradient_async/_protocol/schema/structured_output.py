"""Answers in the form of a class: how they are asked for, and how their content is read.

Contract: pure; an answer that does not fit is a `ResponseDecodeError` which says why and carries the completion as its
``snapshot``.
Source: ``response_format`` of the how-to guides, as OpenAI's structured outputs have it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, TypeVar

from gradient_async._protocol.codec.json_text import decode_json, shorten_text
from gradient_async._protocol.schema.annotations import is_object_class
from gradient_async._protocol.schema.convert import fit
from gradient_async._protocol.schema.json_schema import object_schema
from gradient_async.errors import ConfigurationError, ResponseDecodeError
from gradient_async.models.chat import ChatCompletion
from gradient_async.models.parsed import ParsedCompletion, with_parsed

T = TypeVar("T")

_KEPT = 512
_FENCED = re.compile(r"\s*```(?:json)?\s*\n(?P<inside>.*?)\n?\s*```\s*", re.DOTALL)
_ENDINGS = {
    "length": "The answer was cut off at the limit of its tokens; raise max_completion_tokens.",
    "content_filter": "The answer was stopped by the content filter; it is not whole.",
}


def response_format(cls: type) -> dict[str, Any]:
    """Return the ``response_format`` that asks for a *cls*.

    Raises:
        ConfigurationError: It is no class of fields, or a field has no schema.
    """
    if not is_object_class(cls):
        shown = getattr(cls, "__name__", repr(cls))
        raise ConfigurationError(
            f"response_format is {shown}, which is no object in JSON; give an attrs class, a dataclass or a TypedDict, "
            "with what you want as a field of it."
        )
    return _response_format(cls)


@lru_cache(_KEPT)
def _response_format(cls: type) -> dict[str, Any]:
    schema = object_schema(cls, is_strict=True)
    return {"type": "json_schema", "json_schema": {"name": schema_name(cls.__name__), "schema": schema, "strict": True}}


def schema_name(name: str) -> str:
    """Return *name* as a schema may be called: at most 64 letters, digits, ``_`` and ``-``."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)[:64]


def parsed_completion(completion: ChatCompletion, cls: type[T]) -> ParsedCompletion[T]:
    """Return *completion* with its content as a *cls*.

    Raises:
        ResponseDecodeError: The model refused, was cut off, or said something else.
    """
    try:
        return with_parsed(completion, _content(completion, cls))
    except ResponseDecodeError as error:
        error.snapshot = completion
        error.request_id, error.attempts = completion.meta.request_id, completion.meta.attempts
        raise


def _content(completion: ChatCompletion, cls: type[T]) -> T:
    if completion.message.refusal:
        raise ResponseDecodeError(
            "The model refused to answer; error.snapshot.message.refusal has its words.",
            path="$.choices[0].message.refusal",
            body=shorten_text(completion.message.refusal),
        )
    if completion.tool_calls and not completion.text:
        raise ResponseDecodeError(
            "The model asked for tools and did not answer; run them and ask again.",
            path="$.choices[0].message.tool_calls",
        )
    try:
        return fit(_decoded(completion.text), cls, what="The answer")
    except ResponseDecodeError as error:
        if ending := _ENDINGS.get(completion.finish_reason or ""):
            raise ResponseDecodeError(ending, path=error.path, body=error.body) from None
        raise


def _decoded(text: str) -> Any:
    """Return the JSON in *text*, which some models put between fences."""
    fenced = _FENCED.fullmatch(text)
    try:
        return decode_json(fenced["inside"] if fenced else text)
    except ResponseDecodeError as error:
        what = "is not valid JSON; perhaps the model does not know response_format" if text else "is empty"
        raise ResponseDecodeError(f"The answer {what}.", body=error.body) from None
