"""Pydantic's types: models, its dataclasses and special types, and types with its constraints in Annotated.

Contract: Pydantic is imported on the first description, decoding or encoding, never to recognise a class. Values are
validated as JSON, by the rules of the caller's model: by default Pydantic takes ``"3"`` for 3.
Source: Pydantic 2: ``TypeAdapter``, ``ValidationError.errors()``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

from gradient_async._protocol.codec.decode_fault import DecodeFault
from gradient_async._protocol.codec.json_text import encode_jsonable, shorten_text

if TYPE_CHECKING:
    from pydantic import TypeAdapter
    from pydantic.json_schema import GenerateJsonSchema
    from pydantic_core import ErrorDetails

_MARKS = ("__get_pydantic_core_schema__", "__pydantic_validator__", "model_dump")
"""Attributes by which a class is recognised: a type that Pydantic knows, its dataclass, an object with its method."""
_METADATA = ("pydantic", "annotated_types")
"""Packages whose objects are constraints in Annotated."""
_MAX_CACHED_TYPES = 512
_MAX_REASON_CHARS = 200


class PydanticAdapter:
    """Describes, decodes and encodes Pydantic's types."""

    def claims(self, annotation: Any) -> bool:
        """Whether *annotation* is a type of Pydantic, or carries constraints that it can check."""
        if get_origin(annotation) is Annotated:
            return any(map(is_constraint, get_args(annotation)[1:])) and _can_validate(annotation)
        return isinstance(annotation, type) and any(hasattr(annotation, mark) for mark in _MARKS)

    def build_document(self, annotation: Any) -> dict[str, Any]:
        """Return the JSON Schema document of the valid values, in which fields have their aliases as names.

        Raises:
            TypeError: Pydantic makes no schema of it.
        """
        try:
            return _get_validator(annotation).json_schema(mode="validation", schema_generator=_get_generator())
        except Exception as error:  # noqa: BLE001 - the hooks of the caller's types may raise anything
            reason = _shorten_reason(str(error).partition("\n")[0])
        raise TypeError(f"Pydantic makes no JSON Schema of it: {reason}")

    def decode_value(self, value: Any, annotation: Any) -> Any:
        """Validate decoded JSON.

        Raises:
            DecodeFault: The value is not valid.
        """
        from pydantic import ValidationError  # the caller's type has loaded it

        try:
            return _get_validator(annotation).validate_json(encode_jsonable(value))
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise DecodeFault(_describe_fault(first), _locate(first, value))

    def encode_value(self, value: Any) -> Any:
        """Return an instance as JSON values, its fields by their aliases.

        Raises:
            TypeError: The value is a secret, or its serializers fail.
        """
        if hasattr(value, "get_secret_value"):
            raise TypeError("is a secret, which would be sent masked; give value.get_secret_value()")
        try:
            if hasattr(value, "model_dump"):
                return value.model_dump(mode="json", by_alias=True)
            return _get_validator(type(value)).dump_python(value, mode="json", by_alias=True)
        except Exception as error:  # noqa: BLE001 - the method is the caller's and may raise anything
            failure = type(error).__name__
        raise TypeError(f"is of type {type(value).__name__}, whose model_dump() failed with {failure}")


def is_constraint(item: Any) -> bool:
    """Whether *item* is an object of Pydantic, as ``Field(ge=1)``, or a constraint of the form that it shares."""
    return type(item).__module__.partition(".")[0] in _METADATA


def _can_validate(annotation: Any) -> bool:
    """Whether Pydantic is there and knows all types inside *annotation*; it does not know attrs classes."""
    try:
        _get_validator(annotation)
    except Exception:  # noqa: BLE001 - the hooks of the caller's types may raise anything
        return False
    return True


def _get_validator(annotation: Any) -> TypeAdapter[Any]:
    try:
        return _build_validator(annotation)
    except TypeError:  # metadata that cannot be hashed
        return _build_validator.__wrapped__(annotation)


@lru_cache(_MAX_CACHED_TYPES)
def _build_validator(annotation: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter  # the caller's type has loaded it

    return TypeAdapter(annotation)


@cache
def _get_generator() -> type[GenerateJsonSchema]:
    """Return the generator of schemas without warnings: of a default that has no JSON form, for example."""
    from pydantic.json_schema import GenerateJsonSchema  # the caller's type has loaded it

    class SilentGenerator(GenerateJsonSchema):
        ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}

    return SilentGenerator


def _describe_fault(fault: ErrorDetails) -> str:
    return "it is missing" if fault["type"] == "missing" else _shorten_reason(fault["msg"])


def _shorten_reason(text: str) -> str:
    """Return *text* as the end of a sentence; it may quote the value, so it is bounded."""
    return shorten_text(text[:1].lower() + text[1:].rstrip("."), _MAX_REASON_CHARS)


def _locate(fault: ErrorDetails, value: Any) -> list[str | int]:
    """Return the place of *fault* within *value*, without the names that Pydantic gives to members of a union.

    The location ``("pet", "cat", "age")`` of ``{"pet": {"kind": "cat"}}`` is ``pet.age``, where ``age`` is missing.
    """
    steps = list(_follow(fault["loc"], value))
    return [*steps, fault["loc"][-1]] if fault["type"] == "missing" else steps


def _follow(location: Sequence[str | int], value: Any) -> Iterator[str | int]:
    """Yield the steps of *location* that lead on within *value*."""
    for step in location:
        is_name = isinstance(value, Mapping) and step in value
        if is_name or (isinstance(value, list) and isinstance(step, int) and step < len(value)):
            yield step
            value = value[step]
