"""Conversion of decoded JSON to the caller's types: the arguments of a tool, the content of a completion.

Contract: a value that does not fit raises `ResponseDecodeError` with its path and the expected type. Conversion is
strict: a number in quotes is not a number; an integer may stand for a float, and a float without a fraction for an
integer. An unknown name does not fit a class, because the schema of the class forbids it. An error of the caller's own
validators and converters counts as a value that does not fit. The schema of a class is built first: that resolves its
forward references.
Source: the types that `json_schema` supports; cattrs builds the classes.
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

from gradient_async._protocol.codec.decode_fault import DecodeFault
from gradient_async._protocol.codec.json_text import shorten_text
from gradient_async._protocol.codec.type_adapter import find_adapter
from gradient_async._protocol.schema.annotations import (
    ARRAY_FACTORIES,
    MAPPING_CLASSES,
    Field,
    container_class,
    has_arguments,
    is_literal,
    is_object_class,
    is_typed_dict,
    is_union,
    list_fields,
    unwrap,
)
from gradient_async.errors import ResponseDecodeError

T = TypeVar("T")
Hook = Callable[[Any, Any], Any]

_MAX_PATH_CHARS = 200
"""Names in a path, and unknown names, are text that a model wrote."""

_TYPE_NAMES = {
    str: "a string",
    bool: "true or false",
    int: "an integer",
    float: "a number",
    list: "a list",
    dict: "an object",
    NoneType: "null",
}


def convert(value: Any, target: type[T], *, subject: str, ignores_unknown: bool = False) -> T:
    """Convert decoded JSON to a type.

    Args:
        value: Decoded JSON.
        target: Type that has a JSON Schema.
        subject: Name of the value in errors: ``The content``.
        ignores_unknown: Whether names that a class does not have are left out, instead of refused.

    Raises:
        ResponseDecodeError: *value* does not fit *target*.
    """
    structure = partial(_get_converter(forbids_unknown=not ignores_unknown).structure, cl=target)
    return _reraise_with_path(structure, value, f"{subject} does not fit {getattr(target, '__name__', target)}")


def convert_arguments(value: Any, fields: Sequence[Field], *, subject: str) -> dict[str, Any]:
    """Convert the decoded arguments of a call to the types of *fields*.

    Args:
        value: Decoded JSON.
        fields: Fields whose types have a JSON Schema.
        subject: Beginning of an error: ``An argument does not fit weather``.

    Returns:
        The converted values of the fields that *value* has, by name.

    Raises:
        ResponseDecodeError: *value* is not an object, or a field is missing, unknown or of another type.
    """
    return _reraise_with_path(partial(_convert_fields, _get_converter(), fields), value, subject)


def _reraise_with_path(read: Callable[[Any], T], value: Any, subject: str) -> T:
    """Call ``read(value)``; on failure raise `ResponseDecodeError` with *subject* and the path of the bad field."""
    try:
        return read(value)
    except Exception as error:  # noqa: BLE001 - the caller's validators and converters may raise anything
        problem = cattrs.transform_error(error, path="$", format_exception=_format_problem)[0]
    reason, _, path = problem.rpartition(" @ ")
    path = shorten_text(path, _MAX_PATH_CHARS)
    body = shorten_text(json.dumps(value, default=str))
    raise ResponseDecodeError(f"{subject}: {path}: {reason}.", path=path, body=body)


@cache
def _get_converter(*, forbids_unknown: bool = True) -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=forbids_unknown, detailed_validation=True)
    for scalar in (str, bool, int, float, Enum):
        converter.register_structure_hook(scalar, _convert_scalar)
    for date_class in (datetime, date):
        converter.register_structure_hook(date_class, _convert_date)
    register = converter.register_structure_hook_func
    register(lambda target: target in (None, NoneType), partial(_require_type, NoneType))
    register(is_literal, _convert_literal)
    register(lambda target: container_class(target) in ARRAY_FACTORIES, partial(_convert_array, converter))
    register(lambda target: container_class(target) in MAPPING_CLASSES, partial(_convert_mapping, converter))
    register(is_union, partial(_convert_union, converter))
    converter.register_structure_hook_factory(is_object_class, partial(_lazy_class_hook, converter))
    register(lambda target: find_adapter(target) is not None, _decode_foreign)
    return converter


def _format_problem(error: BaseException, _type: type | None) -> str:
    if isinstance(error, KeyError):
        return "it is missing"
    if isinstance(error, cattrs.ForbiddenExtraKeysError):
        names = ", ".join(sorted(map(repr, error.extra_fields)))
        return f"unknown name {shorten_text(names, _MAX_PATH_CHARS)}"
    return str(error) or type(error).__name__


def _require_type(expected: type, value: Any, _target: Any = None) -> Any:
    if type(value) is not expected:
        raise TypeError(f"expected {_TYPE_NAMES[expected]}, got {_describe_value(value)}")
    return value


def _describe_value(value: Any) -> str:
    return "null" if value is None else _TYPE_NAMES[type(value)]


def _convert_scalar(value: Any, target: Any) -> Any:
    """Return *value* unchanged if it is of the type; convert enum values, and integers to floats and back."""
    if issubclass(target, Enum):
        return _match_choice(value, [(member.value, member) for member in target])
    if target is float and type(value) is int:
        return _convert_int_to_float(value)
    if target is int and type(value) is float and value.is_integer():
        return int(value)
    return _require_type(target, value)


def _convert_int_to_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        raise TypeError("expected a number, got one too large for a float") from None


def _convert_literal(value: Any, target: Any) -> Any:
    return _match_choice(value, [(one.value if isinstance(one, Enum) else one, one) for one in get_args(target)])


def _match_choice(value: Any, choices: list[tuple[Any, Any]]) -> Any:
    """Return the Python value of the choice that equals *value* in JSON, type included."""
    for json_value, python_value in choices:
        if type(json_value) is type(value) and json_value == value:
            return python_value
    allowed = ", ".join(json.dumps(json_value) for json_value, _ in choices)
    raise TypeError(f"expected one of {allowed}, got {shorten_text(json.dumps(value), 80)}")


def _convert_date(value: Any, target: Any) -> Any:
    try:
        return target.fromisoformat(_require_type(str, value))
    except ValueError:
        raise TypeError(f"expected a {target.__name__} in ISO 8601 format, got {shorten_text(value, 80)!r}") from None


def _convert_array(converter: cattrs.Converter, value: Any, target: Any) -> Any:
    items, item_types = _require_type(list, value), get_args(target) or (Any,)
    build = ARRAY_FACTORIES[container_class(target)]
    if build is not tuple or item_types[-1] is ...:
        return build(_convert_items(converter, ((i, item, item_types[0]) for i, item in enumerate(items))))
    if item_types == (Any,):
        return build(items)
    if len(items) != len(item_types):
        raise TypeError(f"expected {len(item_types)} items, got {len(items)}")
    return build(_convert_items(converter, zip(range(len(items)), items, item_types, strict=True)))


def _convert_mapping(converter: cattrs.Converter, value: Any, target: Any) -> dict[str, Any]:
    items = _require_type(dict, value)
    _, item_type = get_args(target) or (str, Any)
    converted = _convert_items(converter, ((name, item, item_type) for name, item in items.items()))
    return dict(zip(items, converted, strict=True))


def _convert_items(converter: cattrs.Converter, items: Iterable[tuple[int | str, Any, Any]]) -> list[Any]:
    """Convert each (place, item, type); an error carries the place as a cattrs note."""
    converted = []
    for place, item, target in items:
        try:
            converted.append(converter.structure(item, target))
        except Exception as error:  # noqa: BLE001 - raised again with its place
            _add_note(error, IterableValidationNote(f"at {place!r}", place, target))
            raise IterableValidationError("does not fit", [error], target) from None
    return converted


def _add_note(error: Exception, note: str) -> None:
    error.__notes__ = [*getattr(error, "__notes__", ()), note]


def _convert_union(converter: cattrs.Converter, value: Any, target: Any) -> Any:
    """Return *value* unchanged if it already is of a member type, else as the first member that it fits."""
    members = [member for member in get_args(target) if member is not NoneType]
    if value is None and len(members) < len(get_args(target)):
        return None
    if any(unwrap(member)[0] is type(value) and type(value) not in (list, dict) for member in members):
        return value
    if len(members) == 1:
        return converter.structure(value, members[0])
    return _convert_to_first_match(converter, value, members)


def _convert_to_first_match(converter: cattrs.Converter, value: Any, members: list[Any]) -> Any:
    for member in members:
        try:
            return converter.structure(value, member)
        except Exception:  # noqa: BLE001, S112 - any error means that the value does not fit this member
            continue
    names = " or ".join(getattr(member, "__name__", repr(member)) for member in members)
    raise TypeError(f"expected {names}, got {_describe_value(value)} that fits none of them")


def _lazy_class_hook(converter: cattrs.Converter, cls: type) -> Hook:
    """Return a hook that builds the class's real hook on first use: a class may contain itself."""
    hook: Hook | None = None

    def convert_object(value: Any, target: Any) -> Any:
        nonlocal hook
        if hook is None and is_typed_dict(cls):  # cattrs misses the required keys if annotations are postponed
            hook = partial(_convert_fields, converter, list_fields(cls))
        elif hook is None and has_arguments(cls):  # cattrs leaves some type variables, and confuses some of one name
            hook = partial(_convert_generic, converter, list_fields(cls))
        elif hook is None:
            hook = make_dict_structure_fn(cls, converter, _cattrs_use_alias=True)
        return hook(_require_type(dict, value), target)

    return convert_object


def _convert_fields(
    converter: cattrs.Converter, fields: Sequence[Field], value: Any, _target: Any = None
) -> dict[str, Any]:
    """Convert the object *value* to a dict of the *fields* that it has."""
    items = _require_type(dict, value)
    converted = {
        field.name: _convert_field(converter, field, items)
        for field in fields
        if field.is_required or field.name in items
    }
    if converter.forbid_extra_keys and (unknown := items.keys() - converted.keys()):
        raise cattrs.ForbiddenExtraKeysError(None, dict, unknown)
    return converted


def _convert_generic(converter: cattrs.Converter, fields: Sequence[Field], value: Any, target: Any) -> Any:
    """Convert the object *value* to an instance of a generic class with these *fields*."""
    return container_class(target)(**_convert_fields(converter, fields, value))


def _decode_foreign(value: Any, target: Any) -> Any:
    """Decode *value* by the library of its type; an error carries each step to the bad part as a cattrs note."""
    adapter = find_adapter(target)
    assert adapter is not None  # noqa: S101 - the hook's predicate
    try:
        return adapter.decode_value(value, target)
    except DecodeFault as fault:
        error: Exception = TypeError(str(fault))
        steps = fault.steps
    for step in reversed(steps):
        error = _wrap_error(error, step, target)
    raise error


def _wrap_error(error: Exception, step: str | int, target: Any) -> Exception:
    """Return *error* as one within *step*: a field, or else an item."""
    if isinstance(step, str) and step.isidentifier():
        _add_note(error, AttributeValidationNote(f"at {step}", step, target))
        return ClassValidationError("does not fit", [error], dict)
    _add_note(error, IterableValidationNote(f"at {step!r}", step, target))
    return IterableValidationError("does not fit", [error], target)


def _convert_field(converter: cattrs.Converter, field: Field, items: dict[str, Any]) -> Any:
    """Convert one field of *items*; an error carries the field's name as a cattrs note."""
    try:
        return converter.structure(items[field.name], unwrap(field.annotation)[0])
    except Exception as error:  # noqa: BLE001 - raised again with its place
        _add_note(error, AttributeValidationNote(f"at {field.name}", field.name, field.annotation))
        raise ClassValidationError("does not fit", [error], dict) from None
