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
    Final,
    Literal,
    NotRequired,
    Required,
    TypeGuard,
    TypeVar,
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
    """Remove Annotated, Required, NotRequired, ReadOnly, Final, NewType and type aliases.

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
        elif get_origin(annotation) in (Required, NotRequired, Final) or _is_read_only(annotation):
            (annotation,) = get_args(annotation)
        elif hasattr(annotation, "__supertype__"):
            annotation = annotation.__supertype__
        elif is_alias(annotation):
            annotation = expand_alias(annotation)
        else:
            return annotation, description


def is_alias(annotation: Any) -> bool:
    """Whether *annotation* is a type alias of Python 3.12, or of typing_extensions; it may contain itself."""
    return type(container_class(annotation)).__name__ == "TypeAliasType"


def expand_alias(annotation: Any) -> Any:
    """Return the type that an alias stands for, with the arguments of a generic one."""
    alias = container_class(annotation)
    return _substitute(alias.__value__, dict(zip(alias.__type_params__, get_args(annotation), strict=False)))


def _is_read_only(annotation: Any) -> bool:
    """Whether *annotation* is the ReadOnly of Python 3.13, or of typing_extensions."""
    return getattr(get_origin(annotation), "_name", None) == "ReadOnly"


def is_union(annotation: Any) -> bool:
    """Whether *annotation* is a union or Optional."""
    return get_origin(annotation) in (Union, UnionType)


def is_literal(annotation: Any) -> bool:
    """Whether *annotation* is a Literal."""
    return get_origin(annotation) is Literal


def is_typed_dict(annotation: Any) -> bool:
    """Whether *annotation* is a TypedDict of typing or typing_extensions."""
    cls = container_class(annotation)
    return isinstance(cls, type) and issubclass(cls, dict) and hasattr(cls, "__required_keys__")


def is_object_class(annotation: Any) -> TypeGuard[type]:
    """Whether *annotation* is an attrs class, a dataclass or a TypedDict: an object with known names in JSON.

    A generic class may have its arguments: ``Page[int]``.
    """
    cls = container_class(annotation)
    return isinstance(cls, type) and (attrs.has(cls) or dataclasses.is_dataclass(cls) or is_typed_dict(cls))


def container_class(annotation: Any) -> Any:
    """Return the class of a container's annotation: ``list`` for both ``list`` and ``list[int]``."""
    return get_origin(annotation) or annotation


def list_fields(cls: type) -> list[Field]:
    """Return the fields of a class for which `is_object_class` is true.

    Descriptions come from Annotated or from the field's metadata, else from the class docstring. Type variables are
    replaced by the arguments of the class, or of its bases.

    Raises:
        ConfigurationError: An annotation names something that cannot be found.
    """
    try:
        fields = _read_fields(container_class(cls), _bind_fields(cls))
    except NameError as error:
        raise unresolved_annotation_error(cls.__name__, error) from None
    descriptions = parse_argument_descriptions(explicit_docstring(cls))
    return [attrs.evolve(field, description=field.description or descriptions.get(field.name, "")) for field in fields]


def has_arguments(cls: type) -> bool:
    """Whether *cls* is a generic class with its arguments, or derived from one: its type variables are replaced."""
    return any(_bind_fields(cls).values())


def _bind_fields(cls: Any) -> dict[str, Mapping[Any, Any]]:
    """Return the arguments of the type variables in each field, by its name.

    Each class among the bases has its own: the T of ``class Page(Items[int], Generic[T])`` is not that of ``Items``.
    """
    origin = container_class(cls)
    own = dict(zip(getattr(origin, "__parameters__", ()), get_args(cls), strict=False))
    bound: dict[str, Mapping[Any, Any]] = dict.fromkeys(_list_names(origin), own)
    for base in vars(origin).get("__orig_bases__", origin.__bases__):
        if is_object_class(base):
            bound |= _bind_fields(_substitute(base, own))
    return bound


def _list_names(cls: Any) -> Iterable[str]:
    if attrs.has(cls):
        return [field.name for field in attrs.fields(cls)]
    if dataclasses.is_dataclass(cls):
        return [field.name for field in dataclasses.fields(cls)]
    names: frozenset[str] = cls.__required_keys__ | cls.__optional_keys__
    return names


def _substitute(annotation: Any, arguments: Mapping[Any, Any]) -> Any:
    """Return *annotation* with the *arguments* in place of their type variables."""
    if isinstance(annotation, TypeVar):
        return arguments.get(annotation, annotation)
    parameters = getattr(annotation, "__parameters__", ())
    if not arguments or not parameters or isinstance(annotation, type):
        return annotation
    return annotation[tuple(arguments.get(parameter, parameter) for parameter in parameters)]


def unresolved_annotation_error(name: str, error: NameError) -> ConfigurationError:
    """Return the error for annotations of *name* that cannot be resolved."""
    return ConfigurationError(
        f"{name} has an annotation that cannot be resolved: {error}. Define that name at the top of its module."
    )


def explicit_docstring(cls: type) -> str | None:
    """Return the docstring written in *cls* itself: not an inherited one, and not a dataclass's generated one."""
    cls = container_class(cls)
    doc = cls.__doc__ if "__doc__" in vars(cls) else None  # Python 3.15 generates a dataclass's when it is read
    is_generated = dataclasses.is_dataclass(cls) and (doc or "").startswith(f"{cls.__name__}(")
    return None if is_generated else doc


def _read_fields(cls: type, bound: Mapping[str, Mapping[Any, Any]]) -> list[Field]:
    """Return the fields of *cls* without descriptions, with the arguments that are *bound* to their type variables."""
    if attrs.has(cls):
        attrs.resolve_types(cls)
        return [_read_attrs_field(field, bound[field.name]) for field in attrs.fields(cls) if field.init]
    plain = get_type_hints(cls, include_extras=True)
    hints = {name: _substitute(hint, bound.get(name, {})) for name, hint in plain.items()}
    if dataclasses.is_dataclass(cls):
        return [_read_dataclass_field(field, hints[field.name]) for field in dataclasses.fields(cls) if field.init]
    required_keys: frozenset[str] = getattr(cls, "__required_keys__", frozenset())
    return [
        Field(name=name, annotation=annotation, is_required=_is_required_key(annotation, name in required_keys))
        for name, annotation in hints.items()
    ]


def _read_attrs_field(field: attrs.Attribute[Any], arguments: Mapping[Any, Any]) -> Field:
    has_value = field.default is not attrs.NOTHING and not isinstance(field.default, attrs.Factory)  # type: ignore[arg-type]  # a class, though typed as a function
    return Field(
        name=field.alias or field.name,
        annotation=_substitute(field.type, arguments),
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
