"""Structured output: the ``response_format`` for a class, and the completion's content converted to it.

Contract: pure; content that does not fit raises a `ResponseDecodeError` with the reason and with the completion as its
``snapshot``.
Source: ``response_format`` of the how-to guides, in the form of OpenAI's structured outputs.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, TypeVar

from gradient_async._protocol.codec.json_text import decode_json, shorten_text
from gradient_async._protocol.schema.annotations import is_object_class
from gradient_async._protocol.schema.convert import convert
from gradient_async._protocol.schema.json_schema import object_schema
from gradient_async.errors import ConfigurationError, ResponseDecodeError
from gradient_async.models.chat import ChatCompletion
from gradient_async.models.parsed import ParsedCompletion, with_parsed

T = TypeVar("T")

_MAX_CACHED_CLASSES = 512
_CODE_FENCE = re.compile(r"\s*```(?:json)?\s*\n(?P<inside>.*?)\n?\s*```\s*", re.DOTALL)
_INCOMPLETE = {
    "length": "The completion was cut off by the token limit; raise max_completion_tokens.",
    "content_filter": "The completion was stopped by the content filter and is incomplete.",
}


def build_response_format(cls: type) -> dict[str, Any]:
    """Return the ``response_format`` parameter that requests a *cls*.

    Raises:
        ConfigurationError: *cls* is not a class with fields, or a field has no schema.
    """
    if not is_object_class(cls):
        name = getattr(cls, "__name__", repr(cls))
        raise ConfigurationError(
            f"response_format is {name}, which is not an object in JSON; give an attrs class, a dataclass or a "
            "TypedDict, with the value that you want as one of its fields."
        )
    return _build_cached(cls)


@lru_cache(_MAX_CACHED_CLASSES)
def _build_cached(cls: type) -> dict[str, Any]:
    schema = object_schema(cls, is_strict=True)
    name = sanitize_schema_name(cls.__name__)
    return {"type": "json_schema", "json_schema": {"name": name, "schema": schema, "strict": True}}


def sanitize_schema_name(name: str) -> str:
    """Return *name* as a valid schema name: at most 64 letters, digits, ``_`` and ``-``."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)[:64]


def parse_completion(completion: ChatCompletion, cls: type[T]) -> ParsedCompletion[T]:
    """Return *completion* with its content converted to *cls*.

    Raises:
        ResponseDecodeError: The model refused, was cut off, or its content does not fit.
    """
    try:
        return with_parsed(completion, _parse_content(completion, cls))
    except ResponseDecodeError as error:
        error.snapshot = completion
        error.request_id, error.attempts = completion.meta.request_id, completion.meta.attempts
        raise


def _parse_content(completion: ChatCompletion, cls: type[T]) -> T:
    if completion.message.refusal:
        raise ResponseDecodeError(
            "The model refused to answer; error.snapshot.message.refusal has its reason.",
            path="$.choices[0].message.refusal",
            body=shorten_text(completion.message.refusal),
        )
    if completion.tool_calls and not completion.text:
        raise ResponseDecodeError(
            "The model called tools and did not answer; run them and send their results.",
            path="$.choices[0].message.tool_calls",
        )
    try:
        return convert(_decode_content(completion.text), cls, subject="The content")
    except ResponseDecodeError as error:
        if problem := _INCOMPLETE.get(completion.finish_reason or ""):
            raise ResponseDecodeError(problem, path=error.path, body=error.body) from None
        raise


def _decode_content(text: str) -> Any:
    """Decode the JSON in *text*, which some models put inside a Markdown code fence."""
    fence = _CODE_FENCE.fullmatch(text)
    try:
        return decode_json(fence["inside"] if fence else text)
    except ResponseDecodeError as error:
        problem = "is not valid JSON; the model may not support response_format" if text else "is empty"
        raise ResponseDecodeError(f"The content {problem}.", body=error.body) from None
