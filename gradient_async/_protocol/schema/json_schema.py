"""JSON Schema of Python types: for the parameters of a function and for structured output.

Contract: pure; the same type always gives the same schema, and `convert` accepts exactly the values that the schema
allows. A class is written in place; only a class that contains itself goes under ``$defs``. A strict schema lists every
property as required and uses no keyword that strict decoding refuses. A type without a schema raises a
`ConfigurationError` that names the field.
Source: JSON Schema 2020-12; OpenAI's supported schemas of structured outputs, which the service passes on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from datetime import date, datetime
from enum import Enum
from itertools import count
from types import NoneType
from typing import Any, TypeVar, get_args

import attrs

from gradient_async._protocol.codec.type_adapter import TypeAdapter, find_adapter
from gradient_async._protocol.schema.annotations import (
    ARRAY_FACTORIES,
    MAPPING_CLASSES,
    Field,
    container_class,
    expand_alias,
    explicit_docstring,
    is_alias,
    is_literal,
    is_object_class,
    is_union,
    list_fields,
    unwrap,
)
from gradient_async._protocol.schema.docstrings import first_paragraph
from gradient_async._protocol.schema.foreign_schema import REFERENCE, ForeignDocument, Schema
from gradient_async.errors import ConfigurationError, quote_argument

_SCALARS = {str: "string", bool: "boolean", int: "integer", float: "number", NoneType: "null", None: "null"}
_FORMATS = {datetime: "date-time", date: "date"}
_SUPPORTED_TYPES = (
    "str, int, float, bool, None, a Literal, an Enum, a list, tuple, set, dict[str, ...], a union of these, "
    "datetime, date, a TypedDict, a dataclass, an attrs class, a Pydantic model or a msgspec Struct"
)


def object_schema(cls: type, *, is_strict: bool = False) -> Schema:
    """Return the schema document of a class that is an object in JSON.

    Raises:
        ConfigurationError: A field has no schema; the error names it.
    """
    builder = _SchemaBuilder(is_strict)
    schema = builder.build(cls, cls.__name__)
    if "$ref" in schema:
        schema = builder.definitions[schema["$ref"].removeprefix(REFERENCE)]
    return builder.add_definitions(schema)


def fields_schema(name: str, fields: Sequence[Field]) -> Schema:
    """Return the schema document of an object with these *fields*; errors call the object *name*.

    Raises:
        ConfigurationError: A field has no schema; the error names it.
    """
    builder = _SchemaBuilder(is_strict=False)
    return builder.add_definitions(builder.build_object(name, fields))


@attrs.define
class _SchemaBuilder:
    """Builds one schema document.

    A class found inside itself becomes a reference. For ``class Tree: children: list[Tree]`` the document is
    ``{"properties": {"children": {"items": {"$ref": "#/$defs/Tree"}}}, "$defs": {"Tree": ...}}``.

    Attributes:
        is_strict: Whether the schema is for strict decoding.
        definitions: Schemas of the classes that contain themselves, by name.
        names: Names of those classes under ``$defs``.
    """

    is_strict: bool
    definitions: dict[str, Schema] = attrs.field(factory=dict, init=False)
    names: dict[Hashable, str] = attrs.field(factory=dict, init=False)
    _open_keys: list[Hashable] = attrs.field(factory=list, init=False)

    def add_definitions(self, schema: Schema) -> Schema:
        """Return *schema* with the definitions that it refers to."""
        return {**schema, "$defs": self.definitions} if self.definitions else schema

    def build(self, annotation: Any, where: str) -> Schema:
        """Return the schema of *annotation*, which is that of the field *where*."""
        if is_alias(annotation):
            name = container_class(annotation).__name__
            return self.define(annotation, name, lambda: self.build(expand_alias(annotation), where))
        target, description = unwrap(annotation)
        return _add_description(self._build_type(target, where), description)

    def _build_type(self, target: Any, where: str) -> Schema:
        try:
            name = _SCALARS.get(target)
        except TypeError:  # an unhashable annotation, which is not a type: [str]
            raise _unsupported_type_error(target, where) from None
        if name is not None:
            return {"type": name}
        if target in _FORMATS:
            return {"type": "string", "format": _FORMATS[target]}
        if target is Any:
            return {}
        if adapter := find_adapter(target):
            return self._build_foreign(adapter, target, where)
        return self._build_compound(target, where)

    def _build_foreign(self, adapter: TypeAdapter, target: Any, where: str) -> Schema:
        try:
            document = adapter.build_document(target)
        except TypeError as error:
            problem = str(error)
        else:
            return ForeignDocument(document, self.is_strict, self.define).build_schema()
        raise ConfigurationError(f"{where} is {_describe_type(target)}; {problem}.")

    def _build_compound(self, target: Any, where: str) -> Schema:
        if is_literal(target):
            return _enum_schema([_to_json_scalar(value, where) for value in get_args(target)])
        if isinstance(target, type) and issubclass(target, Enum):
            return _enum_schema([_to_json_scalar(member, where) for member in target])
        if is_union(target):
            return {"anyOf": [self.build(member, where) for member in get_args(target)]}
        if is_object_class(target):
            return self._build_class(target)
        if container_class(target) in ARRAY_FACTORIES:
            return self._build_array(target, where)
        if container_class(target) in MAPPING_CLASSES:
            return self._build_mapping(target, where)
        raise _unsupported_type_error(target, where)

    def _build_array(self, target: Any, where: str) -> Schema:
        item_types = get_args(target)
        if container_class(target) is tuple and item_types and item_types[-1] is not ...:
            items = [self.build(item_type, where) for item_type in item_types]
            return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
        schema: Schema = {"type": "array", "items": self.build(item_types[0], where) if item_types else {}}
        is_set = issubclass(ARRAY_FACTORIES[container_class(target)], set | frozenset)  # type: ignore[arg-type]  # each is a class
        return schema | ({"uniqueItems": True} if is_set and not self.is_strict else {})

    def _build_mapping(self, target: Any, where: str) -> Schema:
        name_type, value_type = get_args(target) or (str, Any)
        if unwrap(name_type)[0] is not str:
            raise ConfigurationError(
                f"{where} is {_describe_type(target)}; names in JSON are text: make it dict[str, ...]."
            )
        return {"type": "object", "additionalProperties": self.build(value_type, where)}

    def _build_class(self, cls: type) -> Schema:
        """Return the schema of a class, or a reference to it if the class contains itself."""

        def build() -> Schema:
            schema = self.build_object(cls.__name__, list_fields(cls))
            return _add_description(schema, first_paragraph(explicit_docstring(cls)))

        return self.define(cls, cls.__name__, build)

    def define(self, key: Hashable, name: str, build: Callable[[], Schema]) -> Schema:
        """Return the schema that *build* makes, or a reference to it if it contains itself.

        Args:
            key: Identity of the class.
            name: Its name; under ``$defs`` it gets a number if another class has the same.
            build: Builds the schema; it calls this method for each class inside.
        """
        if key in self._open_keys or key in self.names:
            return {"$ref": REFERENCE + self._name_definition(key, name)}
        self._open_keys.append(key)
        schema = build()
        self._open_keys.pop()
        if key not in self.names:
            return schema
        self.definitions[self.names[key]] = schema
        return {"$ref": REFERENCE + self.names[key]}

    def _name_definition(self, key: Hashable, name: str) -> str:
        if key not in self.names:
            number = next(n for n in count(1) if _number_name(name, n) not in self.names.values())
            self.names[key] = _number_name(name, number)
        return self.names[key]

    def build_object(self, name: str, fields: Sequence[Field]) -> Schema:
        """Return the schema of an object called *name* with these *fields*."""
        properties = {field.name: self._build_property(field, f"{name}.{field.name}") for field in fields}
        return {
            "type": "object",
            "properties": properties,
            "required": [field.name for field in fields if field.is_required or self.is_strict],
            "additionalProperties": False,
        }

    def _build_property(self, field: Field, where: str) -> Schema:
        if field.annotation is None:
            raise ConfigurationError(f"{where} has no annotation; say what it is: give {_SUPPORTED_TYPES}.")
        schema = _add_description(self.build(field.annotation, where), field.description)
        default = field.default.value if isinstance(field.default, Enum) else field.default
        has_json_default = _is_json_scalar(default) and "$ref" not in schema and not self.is_strict
        return {**schema, "default": default} if has_json_default else schema


def _number_name(name: str, number: int) -> str:
    return name if number == 1 else f"{name}{number}"


def _add_description(schema: Schema, description: str) -> Schema:
    """Add a description, except beside a reference: strict decoding refuses that."""
    return schema if not description or "$ref" in schema else {**schema, "description": description}


def _enum_schema(values: list[Any]) -> Schema:
    types = list(dict.fromkeys(_SCALARS[type(value)] for value in values))
    return {"type": types[0] if len(types) == 1 else types, "enum": values}


def _to_json_scalar(value: Any, where: str) -> Any:
    """Return the JSON value of a member of a Literal or an Enum."""
    scalar = value.value if isinstance(value, Enum) else value
    if type(scalar) not in _SCALARS:
        raise ConfigurationError(
            f"{where} may be {quote_argument(value)}, which JSON cannot express; give it a str or an int as value."
        )
    return scalar


def _is_json_scalar(value: Any) -> bool:
    return type(value) in (str, int, bool) or (type(value) is float and math.isfinite(value))


def _unsupported_type_error(target: Any, where: str) -> ConfigurationError:
    if isinstance(target, TypeVar):
        name = where.partition(".")[0]
        return ConfigurationError(f"{where} may be of any type; say which, as {name}[str].")
    return ConfigurationError(
        f"{where} is {_describe_type(target)}, which has no JSON Schema; give {_SUPPORTED_TYPES}."
    )


def _describe_type(target: Any) -> str:
    return target.__name__ if isinstance(target, type) and not get_args(target) else repr(target)
