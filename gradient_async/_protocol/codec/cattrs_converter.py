"""The cattrs converter: decoded JSON objects to models.

Contract: for any bytes the outcome is a model, or a `ResponseDecodeError` that names the path of the bad field and
carries no foreign exception. Null stands for the default, unknown fields stay in ``raw``. A value of another type than
the model says is treated as `lenient_fields` describes; an object that does not fit is converted once more for that.
The hook of a class is made when its first object arrives: most responses need few of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, partial
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin

import attrs
import cattrs
from cattrs.cols import list_structure_factory
from cattrs.gen import make_dict_structure_fn, override

from gradient_async._protocol.codec.json_text import shorten_text
from gradient_async._protocol.codec.lenient_fields import STRUCTURE_ERRORS, Hook, lenient_hooks
from gradient_async.errors import ResponseDecodeError
from gradient_async.models._base import Model

M = TypeVar("M", bound=Model)


def convert_object(value: Any, cls: type[M]) -> M:
    """Convert *value*, a decoded JSON object, to a *cls*.

    Raises:
        ResponseDecodeError: A field that matters has the wrong type; the error names its path.
    """
    try:
        model: M = _fast_converter.structure(value, cls)
    except STRUCTURE_ERRORS:
        pass
    else:
        return model
    return _structure_leniently(value, cls)


def _structure_leniently(value: Any, cls: type[M]) -> M:
    """Retry with the treatment of odd values, and with detailed validation to locate one that is refused."""
    try:
        return _lenient_converter().structure(value, cls)
    except (cattrs.BaseValidationError, TypeError, ValueError, RecursionError) as error:
        problem = cattrs.transform_error(error, path="$", format_exception=_format_error)[0]
    reason, _, path = problem.rpartition(" @ ")
    message = f"The service sent a {cls.__name__} that does not decode: {path}: {reason}."
    raise ResponseDecodeError(message, path=path, body=shorten_text(json.dumps(value, default=str)))


def _new_converter(*, lenient: bool) -> cattrs.Converter:
    """Return a converter of models; a *lenient* one accepts odd values and locates errors, and takes longer to use."""
    converter = cattrs.Converter(detailed_validation=lenient)
    converter.register_structure_hook(str, _require_type(str, "a string"))
    converter.register_structure_hook(bool, _require_type(bool, "true or false"))
    converter.register_structure_hook(int, _structure_int)
    converter.register_structure_hook(float, _structure_float)
    converter.register_structure_hook(datetime, _structure_datetime)
    converter.register_structure_hook_factory(_is_list, partial(_make_list_hook, converter))
    converter.register_structure_hook_factory(_is_optional, partial(_make_optional_hook, converter))
    converter.register_structure_hook_factory(_is_model, partial(_make_model_hook, converter, lenient=lenient))
    return converter


def _format_error(error: BaseException, _type: type | None) -> str:
    return str(error) if isinstance(error, TypeError) else "does not fit"


def _require_type(expected: type, name: str) -> Hook:
    def check_type(value: Any, _type: Any) -> Any:
        if type(value) is not expected:
            raise TypeError(f"expected {name}, got {type(value).__name__}")
        return value

    return check_type


def _structure_int(value: Any, _type: Any) -> int:
    if type(value) is float and value.is_integer():
        return int(value)
    if type(value) is not int:
        raise TypeError(f"expected an integer, got {type(value).__name__}")
    return value


def _structure_float(value: Any, _type: Any) -> float:
    if type(value) not in (float, int):
        raise TypeError(f"expected a number, got {type(value).__name__}")
    try:
        return float(value)
    except OverflowError:
        raise TypeError("expected a number, got one that is too large for a float") from None


def _structure_datetime(value: Any, _type: Any) -> datetime | None:
    """Convert an RFC 3339 date or epoch seconds to a datetime; None for any other value."""
    try:
        if type(value) in (int, float):
            return datetime.fromtimestamp(value, UTC)
        date = datetime.fromisoformat(value)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _make_model_hook(converter: cattrs.Converter, cls: type[M], *, lenient: bool) -> Callable[[Any, Any], M]:
    set_fields: Hook | None = None
    content = attrs.fields_dict(cls).get("content")
    takes_text = content is not None and content.type in (str | None, "str | None")

    def structure_model(value: Any, _type: Any) -> M:
        nonlocal set_fields
        if type(value) is not dict:
            raise TypeError(f"expected an object, got {type(value).__name__}")
        present = {key: item for key, item in value.items() if item is not None}
        if takes_text and type(present.get("content")) is list:
            present = _join_content_parts(present)
        if set_fields is None:
            overrides = {name: override(omit=True) for name in ("_raw", "_meta", "meta")}
            hooks = lenient_hooks(cls, converter.structure) if lenient else {}
            overrides |= {name: override(struct_hook=hook) for name, hook in hooks.items()}
            set_fields = make_dict_structure_fn(cls, converter, **overrides)  # type: ignore[arg-type]  # mypy reads ** as flags
        model: M = set_fields(present, cls)
        model._raw = value
        return model

    return structure_model


def _join_content_parts(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message or delta with text for its list of content parts; the list of log probabilities stays."""
    parts = message["content"]
    if any(type(part) is not dict or part.keys().isdisjoint(("type", "text")) for part in parts):
        return message
    thoughts = [inner for part in parts if part.get("type") == "thinking" for inner in part.get("thinking") or ()]
    reasoning = _join_text(thoughts)
    return message | {"content": _join_text(parts)} | ({"reasoning_content": reasoning} if reasoning else {})


def _join_text(parts: list[Any]) -> str:
    return "".join(part["text"] for part in parts if type(part) is dict and type(part.get("text")) is str)


def _is_list(cls: Any) -> bool:
    return get_origin(cls) is list


def _make_list_hook(converter: cattrs.Converter, cls: Any) -> Hook:
    """Return the hook of a list, which does not take the characters of a string or the keys of an object for items."""
    convert = list_structure_factory(cls, converter)

    def structure_list(value: Any, kind: Any) -> Any:
        if type(value) is not list:
            raise TypeError(f"expected a list, got {type(value).__name__}")
        return convert(value, kind)

    return structure_list


def _is_optional(cls: Any) -> bool:
    """Whether *cls* is a union of one type and None."""
    kinds = get_args(cls)
    return isinstance(cls, UnionType) and len(kinds) == 2 and type(None) in kinds


def _make_optional_hook(converter: cattrs.Converter, cls: Any) -> Hook:
    """Return the hook of the type beside None; nulls were dropped before."""
    (kind,) = (kind for kind in get_args(cls) if kind is not type(None))
    hook: Hook = converter.get_structure_hook(kind)
    return hook


def _is_model(cls: Any) -> bool:
    return isinstance(cls, type) and issubclass(cls, Model)


_fast_converter = _new_converter(lenient=False)


@cache
def _lenient_converter() -> cattrs.Converter:
    return _new_converter(lenient=True)
