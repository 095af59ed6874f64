"""Structured output: the ``response_format`` for a class, and the completion's content converted to it.

Contract: pure; content that does not fit raises a `ResponseDecodeError` with the reason and with the completion as its
``snapshot``. Content that is not JSON as a whole is searched by `json_in_text`; the last value that fits is taken,
because a model that considers several corrects itself. Nothing is taken from a text that ends within a value.
Source: ``response_format`` of the how-to guides, in the form of OpenAI's structured outputs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, TypeVar

from gradient_async._protocol.codec.json_text import decode_json, shorten_text
from gradient_async._protocol.codec.type_adapter import find_adapter
from gradient_async._protocol.schema.annotations import is_object_class
from gradient_async._protocol.schema.convert import convert
from gradient_async._protocol.schema.json_in_text import find_json
from gradient_async._protocol.schema.json_schema import object_schema
from gradient_async.errors import ConfigurationError, ResponseDecodeError
from gradient_async.models.chat import ChatCompletion, ToolCall
from gradient_async.models.parsed import ParsedCompletion, with_parsed

T = TypeVar("T")

_MAX_CACHED_CLASSES = 512
_MAX_TRIED_VALUES = 100
"""A text with more values than this is not an answer; trying each would take long."""
_AROUND = "\ufeff \t\r\n"
_SUBJECT = "The content"
_INCOMPLETE = {
    "length": "The completion was cut off by the token limit; raise max_completion_tokens.",
    "content_filter": "The completion was stopped by the content filter and is incomplete.",
}


def build_response_format(cls: type) -> dict[str, Any]:
    """Return the ``response_format`` parameter that requests a *cls*.

    Raises:
        ConfigurationError: *cls* is not an object in JSON, or a field has no schema.
    """
    schema = _build_cached(cls) if is_object_class(cls) or find_adapter(cls) else {}
    if schema.get("type") != "object":
        name = getattr(cls, "__name__", repr(cls))
        raise ConfigurationError(
            f"response_format is {name}, which is not an object in JSON; give an attrs class, a dataclass, a "
            "TypedDict, a Pydantic model or a msgspec Struct, with the value that you want as one of its fields."
        )
    name = sanitize_schema_name(cls.__name__)
    return {"type": "json_schema", "json_schema": {"name": name, "schema": schema, "strict": True}}


@lru_cache(_MAX_CACHED_CLASSES)
def _build_cached(cls: type) -> dict[str, Any]:
    return object_schema(cls, is_strict=True)


def sanitize_schema_name(name: str) -> str:
    """Return *name* as a valid schema name: at most 64 letters, digits, ``_`` and ``-``."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)[:64]


def parse_completion(
    completion: ChatCompletion, cls: type[T], *, reads_tool_calls: bool = False
) -> ParsedCompletion[T]:
    """Return *completion* with its content converted to *cls*.

    Args:
        completion: The completion; it stays unchanged.
        cls: The class that was requested.
        reads_tool_calls: Whether the arguments of a tool call stand for content that is empty: the request had no
            tools, and the model or a gateway made the schema one.

    Raises:
        ResponseDecodeError: The model refused, was cut off, or its content does not fit.
    """
    try:
        return with_parsed(completion, _parse_content(completion, cls, reads_tool_calls=reads_tool_calls))
    except ResponseDecodeError as error:
        error.snapshot = completion
        error.request_id, error.attempts = completion.meta.request_id, completion.meta.attempts
        raise


def _parse_content(completion: ChatCompletion, cls: type[T], *, reads_tool_calls: bool) -> T:
    if completion.message.refusal:
        raise ResponseDecodeError(
            "The model refused to answer; error.snapshot.message.refusal has its reason.",
            path="$.choices[0].message.refusal",
            body=shorten_text(completion.message.refusal),
        )
    problem = _INCOMPLETE.get(completion.finish_reason or "")
    try:
        if completion.tool_calls and not completion.text.strip():
            return _parse_tool_calls(completion.tool_calls if reads_tool_calls else (), cls)
        return _parse_text(completion.text, cls, is_complete=problem is None)
    except ResponseDecodeError as error:
        if problem:
            raise ResponseDecodeError(problem, path=error.path, body=error.body) from None
        raise


def _parse_tool_calls(calls: Iterable[ToolCall], cls: type[T]) -> T:
    """Convert the arguments of the last call that fits."""
    for call in [*calls][::-1]:
        try:
            return convert(decode_json(call.function.arguments), cls, subject=_SUBJECT)
        except ResponseDecodeError:
            continue
    raise ResponseDecodeError(
        "The model called tools and did not answer; run them and send their results.",
        path="$.choices[0].message.tool_calls",
    )


def _parse_text(text: str, cls: type[T], *, is_complete: bool) -> T:
    """Convert the JSON that *text* is or contains; *is_complete* says whether the model ended the text."""
    value, is_whole = _decode_whole(text)
    if is_whole:
        return convert(value, cls, subject=_SUBJECT)
    found = find_json(text)
    if found.is_cut:
        raise _not_json_error(text, found.fault)
    values = found.values
    if is_complete and not values and found.after_thoughts is not None:
        values = [found.after_thoughts]
    errors = []
    for candidate in _order_candidates(values):
        try:
            return convert(decode_json(candidate), cls, subject=_SUBJECT)
        except ResponseDecodeError as error:
            errors.append(error)
    raise errors[0] if errors else _not_json_error(text, found.fault)


def _decode_whole(text: str) -> tuple[Any, bool]:
    """Return the JSON value that *text* is, and whether it is one."""
    try:
        return decode_json(text.strip(_AROUND)), True
    except ResponseDecodeError:
        return None, False


def _order_candidates(values: list[str]) -> list[str]:
    """Return the last of *values*, the last one first, and arrays, which are never a class, at the end."""
    return sorted(values[: -_MAX_TRIED_VALUES - 1 : -1], key=lambda value: value.startswith("["))


def _not_json_error(text: str, fault: str | None) -> ResponseDecodeError:
    if not text.strip():
        return ResponseDecodeError("The content is empty.")
    reason = f"is not valid JSON: {fault}" if fault else "is not valid JSON"
    return ResponseDecodeError(
        f"The content {reason}; the model may not support response_format.", body=shorten_text(text)
    )
