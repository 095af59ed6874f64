"""JSON values as the types of the caller: the arguments of a tool, the content of an answer.

Contract: what does not fit is a `ResponseDecodeError` that names the path and says what was expected. Nothing is
converted: a number in quotes is no number, only an integer may stand for a float. Names that a class does not know do
not fit it, as its schema says. Whatever the caller's own validators and converters raise is a misfit too.
Source: the types are those of `schema`; cattrs makes the classes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import date, datetime
from enum import Enum
from functools import cache, partial
from types import NoneType
from typing import Any, NotRequired, Required, TypedDict, TypeVar, get_args

import cattrs
from cattrs.errors import IterableValidationError, IterableValidationNote
from cattrs.gen import make_dict_structure_fn
from cattrs.gen.typeddicts import make_dict_structure_fn as make_typed_dict_structure_fn

from gradient_async._protocol.jsontext import shortened
from gradient_async._protocol.kinds import (
    ARRAYS,
    OBJECTS,
    bare,
    container,
    fields_of,
    is_literal,
    is_object_class,
    is_typed_dict,
    is_union,
)
from gradient_async.errors import ResponseDecodeError

T = TypeVar("T")
Hook = Callable[[Any, Any], Any]

_NAMES = {
    str: "a string",
    bool: "true or false",
    int: "an integer",
    float: "a number",
    list: "a list",
    dict: "an object",
    NoneType: "null",
}


def fit(value: Any, kind: type[T], *, what: str) -> T:
    """Return *value*, decoded JSON, as a *kind*.

    Args:
        value: The value.
        kind: A type that has a schema.
        what: How an error calls the value: ``The answer``.

    Raises:
        ResponseDecodeError: It does not fit.
    """
    try:
        return _converter().structure(value, kind)
    except Exception as error:  # noqa: BLE001 - validators and converters of the caller raise what they like
        problem = cattrs.transform_error(error, path="$", format_exception=_problem)[0]
    reason, _, path = problem.rpartition(" @ ")
    body = shortened(json.dumps(value, default=str))
    raise ResponseDecodeError(f"{what} does not fit {kind.__name__}: {path}: {reason}.", path=path, body=body)


@cache
def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True, detailed_validation=True)
    for scalar in (str, bool, int, float, Enum):
        converter.register_structure_hook(scalar, _scalar)
    for day in (datetime, date):
        converter.register_structure_hook(day, _day)
    converter.register_structure_hook_func(lambda kind: kind in (None, NoneType), partial(_checked, NoneType))
    converter.register_structure_hook_func(is_literal, _literal)
    converter.register_structure_hook_func(lambda kind: container(kind) in ARRAYS, partial(_array, converter))
    converter.register_structure_hook_func(lambda kind: container(kind) in OBJECTS, partial(_mapping, converter))
    converter.register_structure_hook_func(is_union, partial(_union, converter))
    converter.register_structure_hook_factory(is_object_class, partial(_class_hook, converter))
    return converter


def _problem(error: BaseException, _type: type | None) -> str:
    if isinstance(error, KeyError):
        return "it is missing"
    if isinstance(error, cattrs.ForbiddenExtraKeysError):
        return f"there is no {' and no '.join(sorted(map(repr, error.extra_fields)))}"
    return str(error) or type(error).__name__


def _checked(expected: type, value: Any, _kind: Any = None) -> Any:
    if type(value) is not expected:
        raise TypeError(f"expected {_NAMES[expected]}, got {_named(value)}")
    return value


def _named(value: Any) -> str:
    return "null" if value is None else _NAMES[type(value)]


def _scalar(value: Any, kind: Any) -> Any:
    """Return a scalar as it is, or the member of an Enum that it stands for."""
    if issubclass(kind, Enum):
        return _one_of(value, [(member.value, member) for member in kind])
    if kind is float and type(value) is int:
        return _float(value)
    if kind is int and type(value) is float and value.is_integer():
        return int(value)
    return _checked(kind, value)


def _float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        raise TypeError("expected a number, got one beyond all floats") from None


def _literal(value: Any, kind: Any) -> Any:
    return _one_of(value, [(one.value if isinstance(one, Enum) else one, one) for one in get_args(kind)])


def _one_of(value: Any, choices: list[tuple[Any, Any]]) -> Any:
    for said, meant in choices:
        if type(said) is type(value) and said == value:
            return meant
    allowed = ", ".join(json.dumps(said) for said, _ in choices)
    raise TypeError(f"expected one of {allowed}, got {shortened(json.dumps(value), 80)}")


def _day(value: Any, kind: Any) -> Any:
    try:
        return kind.fromisoformat(_checked(str, value))
    except ValueError:
        raise TypeError(f"expected a {kind.__name__} as ISO 8601 has it, got {shortened(value, 80)!r}") from None


def _array(converter: cattrs.Converter, value: Any, kind: Any) -> Any:
    items, inside = _checked(list, value), get_args(kind) or (Any,)
    make = ARRAYS[container(kind)]
    if make is not tuple or inside[-1] is ...:
        return make(_each(converter, ((i, item, inside[0]) for i, item in enumerate(items))))
    if inside == (Any,):
        return make(items)
    if len(items) != len(inside):
        raise TypeError(f"expected {len(inside)} items, got {len(items)}")
    return make(_each(converter, zip(range(len(items)), items, inside, strict=True)))


def _mapping(converter: cattrs.Converter, value: Any, kind: Any) -> dict[str, Any]:
    found = _checked(dict, value)
    _, inside = get_args(kind) or (str, Any)
    return dict(zip(found, _each(converter, ((name, item, inside) for name, item in found.items())), strict=True))


def _each(converter: cattrs.Converter, items: Iterable[tuple[int | str, Any, Any]]) -> list[Any]:
    """Return each item as its type; an error knows its place."""
    made = []
    for place, item, kind in items:
        try:
            made.append(converter.structure(item, kind))
        except Exception as error:  # noqa: BLE001 - passed on with its place
            note = IterableValidationNote(f"at {place!r}", place, kind)
            error.__notes__ = [*getattr(error, "__notes__", ()), note]
            raise IterableValidationError("does not fit", [error], kind) from None
    return made


def _union(converter: cattrs.Converter, value: Any, kind: Any) -> Any:
    """Return *value* as the type it already is, else as the first that it fits."""
    kinds = [one for one in get_args(kind) if one is not NoneType]
    if value is None and len(kinds) < len(get_args(kind)):
        return None
    if any(bare(one)[0] is type(value) and type(value) not in (list, dict) for one in kinds):
        return value
    if len(kinds) == 1:
        return converter.structure(value, kinds[0])
    return _first_fit(converter, value, kinds)


def _first_fit(converter: cattrs.Converter, value: Any, kinds: list[Any]) -> Any:
    for kind in kinds:
        try:
            return converter.structure(value, kind)
        except Exception:  # noqa: BLE001, S112 - whatever it is, it does not fit this one
            continue
    names = " or ".join(getattr(kind, "__name__", repr(kind)) for kind in kinds)
    raise TypeError(f"expected {names}, got {_named(value)} that is none of them")


def _class_hook(converter: cattrs.Converter, cls: type) -> Hook:
    """Return the hook of a class of fields, made when the first object arrives: a class may contain itself."""
    fill: Hook | None = None

    def build(value: Any, kind: Any) -> Any:
        nonlocal fill
        if fill is None:
            fill = _filler(converter, cls)
        return fill(_checked(dict, value), kind)

    return build


def _filler(converter: cattrs.Converter, cls: type) -> Hook:
    if is_typed_dict(cls):
        return make_typed_dict_structure_fn(_as_its_fields_say(cls), converter)
    return make_dict_structure_fn(cls, converter, _cattrs_use_alias=True)


def _as_its_fields_say(cls: type) -> Any:
    """Return the TypedDict *cls* anew: one with postponed annotations does not know which keys are (not) required."""
    fields = {
        field.name: Required[bare(field.kind)[0]] if field.is_required else NotRequired[bare(field.kind)[0]]
        for field in fields_of(cls)
    }
    return TypedDict(cls.__name__, fields)  # type: ignore[operator]  # mypy knows written ones alone
