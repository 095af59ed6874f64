"""What an annotation is: without its wrappers, and the fields of the classes that are objects in JSON.

Contract: the schema and the reading of values ask here, so that they agree on what a type means.
Source: typing, attrs, dataclasses.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, MutableMapping, MutableSequence, Sequence
from collections.abc import Set as AbstractSet
from types import UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Required,
    TypeGuard,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import attrs

from gradient_async._protocol.schema.docstrings import argument_descriptions
from gradient_async.errors import ConfigurationError

ARRAYS: Mapping[Any, Callable[[list[Any]], Any]] = {
    list: list,
    Sequence: list,
    MutableSequence: list,
    Iterable: list,
    tuple: tuple,
    set: set,
    AbstractSet: set,
    frozenset: frozenset,
}
"""What is an array in JSON, and what makes it of a list."""

OBJECTS = (dict, Mapping, MutableMapping)
"""What is an object with any names in JSON."""

MISSING: Any = object()
"""The default of a field that has none, or one that is made."""


@attrs.frozen(kw_only=True)
class Field:
    """A field of a class, or a parameter of a function.

    Attributes:
        name: Its name in JSON.
        kind: Its annotation.
        is_required: Whether it has no default.
        default: The default, if it is a value.
        description: What it means, ``""`` if nobody said.
    """

    name: str
    kind: Any
    is_required: bool = True
    default: Any = MISSING
    description: str = ""


def bare(kind: Any) -> tuple[Any, str]:
    """Return *kind* without Annotated, Required, NewType and aliases, and the description that was among them."""
    description = ""
    while True:
        if get_origin(kind) is Annotated:
            kind, *notes = get_args(kind)
            description = description or next((note for note in notes if isinstance(note, str)), "")
        elif get_origin(kind) in (Required, NotRequired):
            (kind,) = get_args(kind)
        elif hasattr(kind, "__supertype__"):
            kind = kind.__supertype__
        elif type(kind).__name__ == "TypeAliasType":  # of Python 3.12, or of typing_extensions
            kind = kind.__value__
        else:
            return kind, description


def is_union(kind: Any) -> bool:
    """Whether *kind* is a union, or Optional."""
    return get_origin(kind) in (Union, UnionType)


def is_literal(kind: Any) -> bool:
    """Whether *kind* is a Literal."""
    return get_origin(kind) is Literal


def is_typed_dict(kind: Any) -> bool:
    """Whether *kind* is a TypedDict, of any module."""
    return isinstance(kind, type) and issubclass(kind, dict) and hasattr(kind, "__required_keys__")


def is_object_class(kind: Any) -> TypeGuard[type]:
    """Whether *kind* is a class whose values are objects with known names in JSON."""
    return isinstance(kind, type) and (attrs.has(kind) or dataclasses.is_dataclass(kind) or is_typed_dict(kind))


def container(kind: Any) -> Any:
    """Return the class of a container's annotation, whether it says what is inside or not."""
    return get_origin(kind) or kind


def fields_of(cls: type) -> list[Field]:
    """Return the fields of a class that `is_object_class`.

    Raises:
        ConfigurationError: An annotation names something that cannot be found.
    """
    try:
        fields = _fields(cls)
    except NameError as error:
        raise unresolved(cls.__name__, error) from None
    said = argument_descriptions(own_doc(cls))
    return [attrs.evolve(field, description=field.description or said.get(field.name, "")) for field in fields]


def unresolved(name: str, error: NameError) -> ConfigurationError:
    """Return the error for annotations of *name* that cannot be resolved."""
    return ConfigurationError(
        f"{name} has an annotation that cannot be resolved: {error}. Define that name at the top of its module."
    )


def own_doc(cls: type) -> str | None:
    """Return the docstring that somebody wrote for *cls*."""
    doc = cls.__doc__ if "__doc__" in vars(cls) else None  # which Python 3.15 writes for a dataclass when it is read
    is_generated = dataclasses.is_dataclass(cls) and (doc or "").startswith(f"{cls.__name__}(")
    return None if is_generated else doc


def _fields(cls: type) -> list[Field]:
    if attrs.has(cls):
        attrs.resolve_types(cls)
        return [_attrs_field(field) for field in attrs.fields(cls) if field.init]
    hints = get_type_hints(cls, include_extras=True)
    if dataclasses.is_dataclass(cls):
        return [_dataclass_field(field, hints[field.name]) for field in dataclasses.fields(cls) if field.init]
    required: frozenset[str] = getattr(cls, "__required_keys__", frozenset())
    return [
        Field(name=name, kind=kind, is_required=_is_required(kind, name in required)) for name, kind in hints.items()
    ]


def _attrs_field(field: attrs.Attribute[Any]) -> Field:
    has_value = field.default is not attrs.NOTHING and not isinstance(field.default, attrs.Factory)  # type: ignore[arg-type]  # a class, though typed as a function
    return Field(
        name=field.alias or field.name,
        kind=field.type,
        is_required=field.default is attrs.NOTHING,
        default=field.default if has_value else MISSING,
        description=str(field.metadata.get("description", "")),
    )


def _dataclass_field(field: dataclasses.Field[Any], kind: Any) -> Field:
    has_value = field.default is not dataclasses.MISSING
    return Field(
        name=field.name,
        kind=kind,
        is_required=not has_value and field.default_factory is dataclasses.MISSING,
        default=field.default if has_value else MISSING,
        description=str(field.metadata.get("description", "")),
    )


def _is_required(kind: Any, by_class: bool) -> bool:  # noqa: FBT001 - what the class says, unless the field does
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    origin = get_origin(kind)
    return origin is Required or (by_class and origin is not NotRequired)
