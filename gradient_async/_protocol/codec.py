"""Bytes to models and back: the one cattrs converter.

Contract: whatever the bytes are, the outcome is a model or a `ResponseDecodeError` that names the path of the
bad field and carries no foreign exception. Null stands for the default, unknown fields stay in ``raw``,
numbers and strings are not converted into each other.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from types import UnionType
from typing import Any, TypeVar, get_args

import attrs
import cattrs
import msgspec
from cattrs.gen import make_dict_structure_fn, override

from gradient_async.errors import ConfigurationError, ResponseDecodeError
from gradient_async.models import Model, plain

M = TypeVar("M", bound=Model)
EXCERPT_CHARS = 500

_quick_json = msgspec.json.Decoder().decode
_quick_bytes = msgspec.json.Encoder().encode


def shortened(text: str, chars: int = EXCERPT_CHARS) -> str:
    """Return the beginning of *text*, short enough for an error."""
    return text if len(text) <= chars else f"{text[:chars]}..."


def decode_json(body: bytes | str) -> Any:
    """Return the JSON value in *body*.

    The quick decoder refuses lone surrogates, NaN and invalid UTF-8; the standard library reads them.

    Raises:
        ResponseDecodeError: It is not JSON. The error carries an excerpt, its text does not.
    """
    try:
        return _quick_json(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    text = body if isinstance(body, str) else body.decode(errors="replace")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    raise ResponseDecodeError("The service sent something that is not valid JSON.", body=shortened(text))


def is_whole_json(text: str) -> bool:
    """Whether *text* is one complete JSON value."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def encode_json(value: Any) -> bytes:
    """Return *value* as JSON bytes; models inside it become objects.

    Raises:
        ConfigurationError: Something inside it has no JSON form.
    """
    tree = plain(value)
    try:
        return _quick_bytes(tree)
    except (TypeError, UnicodeEncodeError, OverflowError, RecursionError):
        pass
    problem = ""
    try:
        return json.dumps(tree, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        problem = str(error)
    raise ConfigurationError(f"The request cannot be written as JSON: {problem}.")


def structure(value: Any, cls: type[M]) -> M:
    """Return *value*, a decoded JSON object, as a *cls*.

    Raises:
        ResponseDecodeError: A field has the wrong type; the error names its path.
    """
    try:
        return converter.structure(value, cls)
    except (cattrs.BaseValidationError, TypeError, ValueError, RecursionError) as error:
        problem = cattrs.transform_error(error, path="$", format_exception=_problem)[0]
    what, _, path = problem.rpartition(" @ ")
    message = f"The service sent a {cls.__name__} that does not decode: {path}: {what}."
    raise ResponseDecodeError(message, path=path, body=shortened(json.dumps(value, default=str)))


def _problem(error: BaseException, _type: type | None) -> str:
    return str(error) if isinstance(error, TypeError) else "does not fit"


def _type_checked(expected: type, name: str) -> Callable[[Any, Any], Any]:
    def check(value: Any, _type: Any) -> Any:
        if type(value) is not expected:
            raise TypeError(f"expected {name}, got {type(value).__name__}")
        return value

    return check


def _integer(value: Any, _type: Any) -> int:
    if type(value) is float and value.is_integer():
        return int(value)
    if type(value) is not int:
        raise TypeError(f"expected an integer, got {type(value).__name__}")
    return value


def _number(value: Any, _type: Any) -> float:
    if type(value) not in (float, int):
        raise TypeError(f"expected a number, got {type(value).__name__}")
    return float(value)


def _date(value: Any, _type: Any) -> datetime | None:
    """Return an RFC 3339 date, or epoch seconds, as a datetime; None for what is neither."""
    try:
        if type(value) in (int, float):
            return datetime.fromtimestamp(value, UTC)
        date = datetime.fromisoformat(value)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _model_hook(cls: type[M]) -> Callable[[Any, Any], M]:
    ours = {name: override(omit=True) for name in ("_raw", "_meta", "meta")}
    fill = make_dict_structure_fn(cls, converter, **ours)  # type: ignore[arg-type]  # mypy reads ** as flags
    content = attrs.fields_dict(cls).get("content")
    takes_text = content is not None and content.type in (str | None, "str | None")

    def build(value: Any, _type: Any) -> M:
        if type(value) is not dict:
            raise TypeError(f"expected an object, got {type(value).__name__}")
        present = {key: item for key, item in value.items() if item is not None}
        if takes_text and type(present.get("content")) is list:
            present = _with_plain_content(present)
        model = fill(present, cls)
        model._raw = value
        return model

    return build


def _with_plain_content(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message or delta whose list of content parts is text; a logprobs' list stays as it is."""
    parts = message["content"]
    if any(type(part) is not dict or "type" not in part for part in parts):
        return message
    thoughts = [inner for part in parts if part["type"] == "thinking" for inner in part.get("thinking") or ()]
    thinking = _joined_text(thoughts)
    known = {"content": _joined_text(parts)} | ({"reasoning_content": thinking} if thinking else {})
    return message | known


def _joined_text(parts: list[Any]) -> str:
    return "".join(part["text"] for part in parts if type(part) is dict and type(part.get("text")) is str)


def _is_optional(cls: Any) -> bool:
    """Whether *cls* is a union of one type and None."""
    kinds = get_args(cls)
    return isinstance(cls, UnionType) and len(kinds) == 2 and type(None) in kinds


def _optional_hook(cls: Any) -> Callable[[Any, Any], Any]:
    """Return the hook of the one type: null has been left out before."""
    (kind,) = (kind for kind in get_args(cls) if kind is not type(None))
    hook: Callable[[Any, Any], Any] = converter.get_structure_hook(kind)
    return hook


def _is_model(cls: Any) -> bool:
    return isinstance(cls, type) and issubclass(cls, Model)


converter = cattrs.Converter()
converter.register_structure_hook(str, _type_checked(str, "a string"))
converter.register_structure_hook(bool, _type_checked(bool, "true or false"))
converter.register_structure_hook(int, _integer)
converter.register_structure_hook(float, _number)
converter.register_structure_hook(datetime, _date)
converter.register_structure_hook_factory(_is_optional, _optional_hook)
converter.register_structure_hook_factory(_is_model, _model_hook)
converter.register_unstructure_hook_func(_is_model, Model.to_dict)
