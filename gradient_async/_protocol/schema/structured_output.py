"""Structured output: the request for a class, and the answer of the model converted to it.

Contract: pure; an answer that does not fit raises a `ResponseDecodeError` with the reason and with the reply as its
``snapshot``. Text that is not JSON as a whole is searched by `json_in_text`; the last value that fits is taken, because
a model that considers several corrects itself. Nothing is taken from a text that ends within a value. A `Dialect`
writes the request and finds the answer in the reply.
Source: ``response_format`` of the how-to guides, in the form of OpenAI's structured outputs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, TypeVar

import attrs

from gradient_async._protocol.codec.json_text import decode_json, shorten_text
from gradient_async._protocol.codec.type_adapter import find_adapter
from gradient_async._protocol.schema.annotations import is_object_class
from gradient_async._protocol.schema.convert import convert
from gradient_async._protocol.schema.dialect import Answer, ClassRequest, Dialect, Reply
from gradient_async._protocol.schema.json_in_text import find_json
from gradient_async._protocol.schema.json_schema import object_schema
from gradient_async.errors import ConfigurationError, ResponseDecodeError, quote_argument
from gradient_async.models.chat import ToolCall

T = TypeVar("T")

_MAX_CACHED_CLASSES = 512
_MAX_TRIED_VALUES = 100
"""A text with more values than this is not an answer; trying each would take long."""
_AROUND = "\ufeff \t\r\n"
_SUBJECT = "The content"


def request_class(dialect: Dialect[Any], params: Mapping[str, Any], cls: type) -> ClassRequest:
    """Return the request with *params* for an answer in the form of *cls*.

    Raises:
        ConfigurationError: *cls* is not an object in JSON, or a field has no schema.
    """
    schema = _build_cached(cls) if is_object_class(cls) or find_adapter(cls) else {}
    if schema.get("type") != "object":
        name = getattr(cls, "__name__", None) or quote_argument(cls)
        raise ConfigurationError(
            f"response_format is {name}, which is not an object in JSON; give an attrs class, a dataclass, a "
            "TypedDict, a Pydantic model or a msgspec Struct, with the value that you want as one of its fields."
        )
    return dialect.write_class_request(params, sanitize_schema_name(cls.__name__), schema)


@lru_cache(_MAX_CACHED_CLASSES)
def _build_cached(cls: type) -> dict[str, Any]:
    return object_schema(cls, is_strict=True)


def sanitize_schema_name(name: str) -> str:
    """Return *name* as a valid schema name: at most 64 letters, digits, ``_`` and ``-``."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)[:64]


def parse_reply(
    dialect: Dialect[Any], reply: Reply, cls: type, request: ClassRequest, *, reads_tool_calls: bool
) -> Any:
    """Return *reply* with its answer converted to *cls*.

    Args:
        dialect: The API of the reply.
        reply: The reply; it stays unchanged.
        cls: The class that was requested.
        request: The request for it.
        reads_tool_calls: Whether the arguments of a tool call stand for text that is empty: the request had no tools,
            and the model or a gateway made the schema one.

    Raises:
        ResponseDecodeError: The model refused, was cut off, or its answer does not fit.
    """
    answer = dialect.read_answer(reply)
    try:
        return dialect.attach_parsed(reply, _parse_answer(answer, cls, request.tool, reads_tool_calls))
    except ResponseDecodeError as error:
        error.snapshot = reply
        error.request_id, error.attempts = reply.meta.request_id, reply.meta.attempts
        raise


def _parse_answer(answer: Answer, cls: type[T], tool: str | None, reads_tool_calls: bool) -> T:  # noqa: FBT001 - private
    if answer.refusal:
        raise ResponseDecodeError(
            f"The model refused to answer; error.snapshot has its reason at {answer.refusal_path}.",
            path=answer.refusal_path,
            body=shorten_text(answer.refusal),
        )
    requested = [call for call in answer.calls if call.function.name == tool]
    try:
        if requested:
            return _convert_last(map(_read_arguments, requested[::-1]), cls)
        if answer.calls and not answer.text.strip():
            return _parse_tool_calls(answer if reads_tool_calls else attrs.evolve(answer, calls=()), cls)
        return _parse_text(answer.text, cls, is_complete=answer.problem is None)
    except ResponseDecodeError as error:
        if answer.problem:
            raise ResponseDecodeError(answer.problem, path=error.path, body=error.body) from None
        raise


def _read_arguments(call: ToolCall) -> str:
    return call.function.arguments


def _parse_tool_calls(answer: Answer, cls: type[T]) -> T:
    """Convert the arguments of the last call that fits."""
    try:
        return _convert_last(map(_read_arguments, answer.calls[::-1]), cls)
    except ResponseDecodeError:
        pass
    raise ResponseDecodeError(
        "The model called tools and did not answer; run them and send their results.", path=answer.calls_path
    )


def _convert_last(texts: Iterable[str], cls: type[T]) -> T:
    """Convert the first of *texts* that fits, which begin with the last one of the reply.

    Raises:
        ResponseDecodeError: None fits; the error is that of the first.
    """
    errors = []
    for text in texts:
        try:
            return convert(decode_json(text), cls, subject=_SUBJECT)
        except ResponseDecodeError as error:
            errors.append(error)
    raise errors[0] if errors else ResponseDecodeError("The content is empty.")


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
    if values:
        return _convert_last(_order_candidates(values), cls)
    raise _not_json_error(text, found.fault)


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
