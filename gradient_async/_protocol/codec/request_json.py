"""Converts what a caller passes to the JSON values that are sent.

Contract: one walk converts and checks a request, or the result of a tool. A value without a JSON form is refused with
its path and type, never with its content, which may be a prompt. Lists keep their length: an item None becomes null.

Source: RFC 8259 for what JSON has; the references of chat, messages and responses for the fields where null is a value.
"""

# None means "not given" in Python, and many libraries write it for every unset field: `model_dump()` of OpenAI's
# message has `"tool_calls": None`. The service refuses most of these nulls, so a field that is None is left out, at
# any depth, except where null says something:
#
#   {"role": "assistant", "content": None, "tool_calls": [...]}      null instead of text
#   {"type": "tool_use", "input": {"unit": None}}                    written by the model, sent back unchanged
#   {"type": "code_interpreter_call", "outputs": None, ...}          a field that the responses API requires
#   {"const": None}                                                  a JSON Schema that admits null only
#
# An empty `tool_calls`, which some servers send with every message and refuse in the next request, is left out too.
#
# The path of a refused value costs nothing until it is needed: each level adds its step to the passing exception.

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

import attrs
import msgspec

from gradient_async.errors import ConfigurationError
from gradient_async.models._base import Model

if TYPE_CHECKING:
    from gradient_async._protocol.codec.type_adapter import TypeAdapter

Mode = Literal["request", "as_given", "result"]
"""``request`` leaves out what is None, ``as_given`` keeps it, ``result`` takes dates, decimals and sets as well."""

_PLAIN = frozenset({str, int, bool})
_CALL_FIELDS = frozenset({"input", "arguments"})
_NULLABLE: Mapping[str, frozenset[str]] = {
    "code_interpreter_call": frozenset({"code", "outputs"}),
    "image_generation_call": frozenset({"result"}),
}
"""Fields that an item must have even as null, by the type of the item."""

_MAX_PATH_CHARS = 100
_MAX_NAME_CHARS = 40

_TEXTUAL = (date, datetime, time, timedelta, Decimal, UUID)

_TEXT_OF_BYTES = "give text, as base64.b64encode(data).decode()"
_TEXT_OF_TIME = "give text, as value.isoformat()"
_ADVICE: Mapping[str, str] = {
    "bytes": _TEXT_OF_BYTES,
    "bytearray": _TEXT_OF_BYTES,
    "memoryview": _TEXT_OF_BYTES,
    "Decimal": "give a float or text",
    "set": "give a list",
    "frozenset": "give a list",
    "datetime": _TEXT_OF_TIME,
    "date": _TEXT_OF_TIME,
    "time": _TEXT_OF_TIME,
    "ndarray": "give value.tolist()",
}
_DEFAULT_ADVICE = "give text, a number, a bool, a list, a dict or an object with fields"
_TOO_DEEP = "contains itself or is nested too deeply, which JSON cannot carry"


class _NoJsonForm(Exception):  # noqa: N818 - never leaves this module
    """A value cannot be written.

    Attributes:
        steps: Names and positions on the way to the value, innermost first.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.steps: list[object] = []


def to_request_json(name: str, value: Any, *, keep_nulls: bool = False) -> Any:
    """Return *value* as JSON values: mappings and objects with fields as dicts, sequences and iterators as lists.

    Objects with fields are results of this library, instances of attrs classes, dataclasses and msgspec Structs, and
    objects with Pydantic's method ``model_dump``. None itself stays.

    Args:
        name: The name of the parameter, with which the path in an error begins; ``""`` for a whole body.
        value: The value of the parameter.
        keep_nulls: Keep every null; otherwise fields that are None are left out.

    Raises:
        ConfigurationError: A value has no JSON form; the error names its path.
    """
    return _convert_or_refuse(name, value, "as_given" if keep_nulls else "request")


def to_result_json(name: str, value: Any) -> Any:
    """Return the result of a tool's function as JSON values, for the model to read.

    Every null stays. Sets become lists; dates, durations, decimals and UUIDs become text.

    Raises:
        ConfigurationError: A value has no JSON form; the error names its path.
    """
    return _convert_or_refuse(name, value, "result")


def _convert_or_refuse(name: str, value: Any, mode: Mode) -> Any:
    try:
        return _convert(value, mode)
    except _NoJsonForm as error:
        reason, steps = str(error), error.steps
    except RecursionError:
        reason, steps = _TOO_DEEP, []
    raise ConfigurationError(f"{_format_path(name, reversed(steps))} {reason}.")


def _convert(value: Any, mode: Mode) -> Any:
    return _CONVERTERS.get(type(value), _convert_other)(value, mode)


def _convert_fields(fields: Mapping[Any, Any], mode: Mode) -> dict[str, Any]:
    """Convert a mapping. Hot: text and whole numbers, the most frequent values, cost no call."""
    converted = {}
    name: Any = None
    try:
        for name, value in fields.items():
            key = name if type(name) is str else _convert_name(name)
            if type(value) in _PLAIN:
                converted[key] = value
            elif mode != "request" or not _is_unset(fields, key, value):
                inner: Mode = "as_given" if key in _CALL_FIELDS and _is_call(fields) else mode
                converted[key] = _CONVERTERS.get(type(value), _convert_other)(value, inner)
    except (_NoJsonForm, RecursionError) as error:
        raise _add_step(error, name) from None
    return converted


def _convert_items(items: Iterable[Any], mode: Mode) -> list[Any]:
    converted: list[Any] = []
    try:
        for item in items:
            converted.append(item if type(item) is str else _convert(item, mode))  # noqa: PERF401 - see below
    except (_NoJsonForm, RecursionError) as error:
        raise _add_step(error, len(converted)) from None  # the position of the item that failed
    return converted


def _convert_float(number: float, _mode: Mode) -> float:
    if math.isfinite(number):
        return number
    raise _NoJsonForm(f"is {number}, which JSON cannot carry; give a finite number")


def _keep(value: Any, _mode: Mode) -> Any:
    return value


def _convert_other(value: Any, mode: Mode) -> Any:
    """Convert a value of any other type: subclasses of JSON's counterparts, enumerations, objects with fields."""
    if isinstance(value, Enum):
        return _convert(value.value, mode)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return _convert_float(float(value), mode)
    if isinstance(value, Mapping):
        return _convert_fields(value, mode)
    if isinstance(value, Sequence | Iterator) and not isinstance(value, bytes | bytearray | memoryview):
        return _convert_items(value, mode)
    if mode == "result" and isinstance(value, AbstractSet):
        return _convert_items(value, mode)
    if mode == "result" and isinstance(value, _TEXTUAL):
        return msgspec.to_builtins(value)
    return _convert(_read_fields(value), mode)


_CONVERTERS: Mapping[type, Callable[[Any, Mode], Any]] = {
    **dict.fromkeys((str, int, bool, NoneType), _keep),
    float: _convert_float,
    dict: _convert_fields,
    list: _convert_items,
    tuple: _convert_items,
}


def _read_fields(value: Any) -> Any:
    """Return the fields of an object by name, or another JSON form that the object gives itself."""
    cls = type(value)
    if isinstance(value, Model):
        return value.to_dict()
    if adapter := _find_adapter(cls):
        return _encode_foreign(adapter, value)
    if attrs.has(cls):
        return {field.alias or field.name: getattr(value, field.name) for field in attrs.fields(cls)}
    if hasattr(cls, "__dataclass_fields__"):
        import dataclasses  # whoever made the class has loaded it

        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    advice = _ADVICE.get(cls.__name__, _DEFAULT_ADVICE)
    raise _NoJsonForm(f"is of type {cls.__name__}, which JSON cannot carry; {advice}")


def _find_adapter(cls: type) -> TypeAdapter | None:
    from gradient_async._protocol.codec.type_adapter import find_adapter  # most requests are dicts of text

    return find_adapter(cls)


def _encode_foreign(adapter: TypeAdapter, value: Any) -> Any:
    try:
        return adapter.encode_value(value)
    except TypeError as error:
        reason = str(error)
    raise _NoJsonForm(reason)


def _convert_name(name: object) -> str:
    """Return the name of a field as text: token ids, the names in ``logit_bias``, may be numbers."""
    if isinstance(name, Enum):
        name = name.value
    if isinstance(name, str):
        return str.__str__(name)
    if isinstance(name, int) and not isinstance(name, bool):
        return str(int(name))
    raise _NoJsonForm(f"has a name of type {type(name).__name__}; names in JSON are text")


def _is_unset(fields: Mapping[Any, Any], name: str, value: Any) -> bool:
    """Whether the field is None, or an empty list of tool calls, without null being a value there."""
    if value is not None:
        return name == "tool_calls" and type(value) is list and not value
    if name == "content":
        return fields.get("role") != "assistant"
    return name != "const" and name not in _NULLABLE.get(_type_of(fields), ())


def _is_call(fields: Mapping[Any, Any]) -> bool:
    """Whether *fields* are a tool call, with arguments that the model wrote."""
    return _type_of(fields).endswith(("_use", "_call"))


def _type_of(fields: Mapping[Any, Any]) -> str:
    kind = fields.get("type")
    return kind if isinstance(kind, str) else ""


def _add_step(error: _NoJsonForm | RecursionError, step: object) -> _NoJsonForm:
    refusal = error if isinstance(error, _NoJsonForm) else _NoJsonForm(_TOO_DEEP)
    refusal.steps.append(step)
    return refusal


def _format_path(name: str, steps: Iterable[object]) -> str:
    """Return a path such as ``messages[3].content[0].image_url``, bounded in length."""
    path = name
    for step in steps:
        if len(path) > _MAX_PATH_CHARS:
            path += "..."
            break
        path += _format_step(step)
    return path.removeprefix(".") or "The value"


def _format_step(step: object) -> str:
    if type(step) is int:
        return f"[{step}]"
    if isinstance(step, str) and step.isidentifier() and len(step) <= _MAX_NAME_CHARS:
        return f".{step}"
    text = repr(step)
    return f"[{text}]" if len(text) <= _MAX_NAME_CHARS else f"[{text[:_MAX_NAME_CHARS]}...]"
