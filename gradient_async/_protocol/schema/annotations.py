"""Type annotations: remove their wrappers and list the fields of object classes.

Contract: JSON Schema and conversion both read annotations through this module, so they agree on what a type means.
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

from gradient_async._protocol.codec.type_adapter import find_adapter, find_description
from gradient_async._protocol.schema.docstrings import parse_argument_descriptions
from gradient_async.errors import ConfigurationError

ARRAY_FACTORIES: Mapping[Any, Callable[[list[Any]], Any]] = {
    list: list,
    Sequence: list,
    MutableSequence: list,
    Iterable: list,
    tuple: tuple,
    set: set,
    AbstractSet: set,
    frozenset: frozenset,
}
"""Container classes that are arrays in JSON, each with the factory that builds it from a list."""

MAPPING_CLASSES = (dict, Mapping, MutableMapping)
"""Container classes that are objects with arbitrary names in JSON."""

NO_DEFAULT: Any = object()
"""Default of a field without one, or with one that a factory makes."""


@attrs.frozen(kw_only=True)
class Field:
    """A field of a class, or a parameter of a function.

    Attributes:
        name: Name in JSON.
        annotation: Type annotation as written.
        is_required: Whether the field has no default.
        default: Default value, `NO_DEFAULT` if there is none.
        description: Text for the model, ``""`` if there is none.
    """

    name: str
    annotation: Any
    is_required: bool = True
    default: Any = NO_DEFAULT
    description: str = ""


def unwrap(annotation: Any) -> tuple[Any, str]:
    """Remove Annotated, Required, NotRequired, NewType and type aliases.

    An Annotated with the constraints of a library stays: that library reads it.

    Returns:
        The type inside, and the first description among the metadata of Annotated (``""`` if there is none):
        ``Annotated[int, "Seconds."]`` gives ``(int, "Seconds.")``.
    """
    description = ""
    while True:
        if get_origin(annotation) is Annotated and not find_adapter(annotation):
            annotation, *metadata = get_args(annotation)
            description = description or find_description(metadata)
        elif get_origin(annotation) in (Required, NotRequired):
            (annotation,) = get_args(annotation)
        elif hasattr(annotation, "__supertype__"):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":  # of Python 3.12, or of typing_extensions
            annotation = annotation.__value__
        else:
            return annotation, description


def is_union(annotation: Any) -> bool:
    """Whether *annotation* is a union or Optional."""
    return get_origin(annotation) in (Union, UnionType)


def is_literal(annotation: Any) -> bool:
    """Whether *annotation* is a Literal."""
    return get_origin(annotation) is Literal


def is_typed_dict(annotation: Any) -> bool:
    """Whether *annotation* is a TypedDict of typing or typing_extensions."""
    return isinstance(annotation, type) and issubclass(annotation, dict) and hasattr(annotation, "__required_keys__")


def is_object_class(annotation: Any) -> TypeGuard[type]:
    """Whether *annotation* is an attrs class, a dataclass or a TypedDict: an object with known names in JSON."""
    return isinstance(annotation, type) and (
        attrs.has(annotation) or dataclasses.is_dataclass(annotation) or is_typed_dict(annotation)
    )


def container_class(annotation: Any) -> Any:
    """Return the class of a container's annotation: ``list`` for both ``list`` and ``list[int]``."""
    return get_origin(annotation) or annotation


def list_fields(cls: type) -> list[Field]:
    """Return the fields of a class for which `is_object_class` is true.

    Descriptions come from Annotated or from the field's metadata, else from the class docstring.

    Raises:
        ConfigurationError: An annotation names something that cannot be found.
    """
    try:
        fields = _read_fields(cls)
    except NameError as error:
        raise unresolved_annotation_error(cls.__name__, error) from None
    descriptions = parse_argument_descriptions(explicit_docstring(cls))
    return [attrs.evolve(field, description=field.description or descriptions.get(field.name, "")) for field in fields]


def unresolved_annotation_error(name: str, error: NameError) -> ConfigurationError:
    """Return the error for annotations of *name* that cannot be resolved."""
    return ConfigurationError(
        f"{name} has an annotation that cannot be resolved: {error}. Define that name at the top of its module."
    )


def explicit_docstring(cls: type) -> str | None:
    """Return the docstring written in *cls* itself: not an inherited one, and not a dataclass's generated one."""
    doc = cls.__doc__ if "__doc__" in vars(cls) else None  # Python 3.15 generates a dataclass's when it is read
    is_generated = dataclasses.is_dataclass(cls) and (doc or "").startswith(f"{cls.__name__}(")
    return None if is_generated else doc


def _read_fields(cls: type) -> list[Field]:
    if attrs.has(cls):
        attrs.resolve_types(cls)
        return [_read_attrs_field(field) for field in attrs.fields(cls) if field.init]
    hints = get_type_hints(cls, include_extras=True)
    if dataclasses.is_dataclass(cls):
        return [_read_dataclass_field(field, hints[field.name]) for field in dataclasses.fields(cls) if field.init]
    required_keys: frozenset[str] = getattr(cls, "__required_keys__", frozenset())
    return [
        Field(name=name, annotation=annotation, is_required=_is_required_key(annotation, name in required_keys))
        for name, annotation in hints.items()
    ]


def _read_attrs_field(field: attrs.Attribute[Any]) -> Field:
    has_value = field.default is not attrs.NOTHING and not isinstance(field.default, attrs.Factory)  # type: ignore[arg-type]  # a class, though typed as a function
    return Field(
        name=field.alias or field.name,
        annotation=field.type,
        is_required=field.default is attrs.NOTHING,
        default=field.default if has_value else NO_DEFAULT,
        description=str(field.metadata.get("description", "")),
    )


def _read_dataclass_field(field: dataclasses.Field[Any], annotation: Any) -> Field:
    has_value = field.default is not dataclasses.MISSING
    return Field(
        name=field.name,
        annotation=annotation,
        is_required=not has_value and field.default_factory is dataclasses.MISSING,
        default=field.default if has_value else NO_DEFAULT,
        description=str(field.metadata.get("description", "")),
    )


def _is_required_key(annotation: Any, by_class: bool) -> bool:  # noqa: FBT001 - total=, which the field may override
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    origin = get_origin(annotation)
    return origin is Required or (by_class and origin is not NotRequired)
