"""JSON values as the types of the caller: the arguments of a tool, the content of an answer.

Contract: what does not fit is a `ResponseDecodeError` that names the path and says what was expected. Nothing is
converted: a number in quotes is no number, only an integer may stand for a float. Names that a class does not know do
not fit it, as its schema says. Whatever the caller's own validators and converters raise is a misfit too.
Source: the types are those of `schema`; cattrs makes the classes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from enum import Enum
from functools import cache, partial
from types import NoneType
from typing import Any, TypeVar, get_args

import cattrs
from cattrs.errors import (
    AttributeValidationNote,
    ClassValidationError,
    IterableValidationError,
    IterableValidationNote,
)
from cattrs.gen import make_dict_structure_fn

from gradient_async._protocol.codec.json_text import shorten_text
from gradient_async._protocol.schema.annotations import (
    ARRAYS,
    OBJECTS,
    Field,
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
    return _told(value, partial(_converter().structure, cl=kind), f"{what} does not fit {kind.__name__}")


def fit_fields(value: Any, fields: Sequence[Field], *, what: str) -> dict[str, Any]:
    """Return *value*, decoded JSON, as a dict of those of the *fields* that it has.

    Args:
        value: The value.
        fields: Fields whose types have schemas.
        what: How an error begins: ``An argument does not fit weather``.

    Raises:
        ResponseDecodeError: It does not fit.
    """
    return _told(value, partial(_by_name, _converter(), fields), what)


def _told(value: Any, read: Callable[[Any], T], what: str) -> T:
    """Return what *read* makes of *value*; *what* begins the error that tells why it makes nothing of it."""
    try:
        return read(value)
    except Exception as error:  # noqa: BLE001 - validators and converters of the caller raise what they like
        problem = cattrs.transform_error(error, path="$", format_exception=_problem)[0]
    reason, _, path = problem.rpartition(" @ ")
    body = shorten_text(json.dumps(value, default=str))
    raise ResponseDecodeError(f"{what}: {path}: {reason}.", path=path, body=body)


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
    raise TypeError(f"expected one of {allowed}, got {shorten_text(json.dumps(value), 80)}")


def _day(value: Any, kind: Any) -> Any:
    try:
        return kind.fromisoformat(_checked(str, value))
    except ValueError:
        raise TypeError(f"expected a {kind.__name__} as ISO 8601 has it, got {shorten_text(value, 80)!r}") from None


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
            _note(error, IterableValidationNote(f"at {place!r}", place, kind))
            raise IterableValidationError("does not fit", [error], kind) from None
    return made


def _note(error: Exception, note: str) -> None:
    error.__notes__ = [*getattr(error, "__notes__", ()), note]


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
    if is_typed_dict(cls):  # and not by cattrs: if its annotations are postponed, it does not know what it requires
        return partial(_by_name, converter, fields_of(cls))
    return make_dict_structure_fn(cls, converter, _cattrs_use_alias=True)


def _by_name(converter: cattrs.Converter, fields: Sequence[Field], value: Any, _kind: Any = None) -> dict[str, Any]:
    """Return the object *value* as a dict of those of the *fields* that it has."""
    given = _checked(dict, value)
    made = {field.name: _field(converter, field, given) for field in fields if field.is_required or field.name in given}
    if unknown := given.keys() - made.keys():
        raise cattrs.ForbiddenExtraKeysError(None, dict, unknown)
    return made


def _field(converter: cattrs.Converter, field: Field, given: dict[str, Any]) -> Any:
    """Return the *field* of what was *given* as its type; an error knows its name."""
    try:
        return converter.structure(given[field.name], bare(field.kind)[0])
    except Exception as error:  # noqa: BLE001 - passed on with its place
        _note(error, AttributeValidationNote(f"at {field.name}", field.name, field.kind))
        raise ClassValidationError("does not fit", [error], dict) from None
