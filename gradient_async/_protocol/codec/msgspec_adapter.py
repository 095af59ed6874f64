"""msgspec's types: Struct classes, and types with its constraints (``msgspec.Meta``) in Annotated.

Contract: values are decoded by the rules of msgspec: a number in quotes is not a number, and an unknown name is ignored
unless the class forbids it.
Source: msgspec: ``json.schema``, ``convert``, ``structs.fields``.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, get_args, get_origin

import msgspec

from gradient_async._protocol.codec.decode_fault import DecodeFault
from gradient_async._protocol.codec.json_text import shorten_text

_PLACE = re.compile(r"(?s)(?P<reason>.*?)(?: - at `(?:key in )?\$(?P<path>.*)`)?")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")
_MISSING = re.compile(r"Object missing required field `(.*)`")
_MAX_REASON_CHARS = 200


class MsgspecAdapter:
    """Describes, decodes and encodes msgspec's types."""

    def claims(self, annotation: Any) -> bool:
        """Whether *annotation* is a Struct class, or carries constraints of msgspec on types that it knows."""
        if get_origin(annotation) is Annotated:
            return any(isinstance(item, msgspec.Meta) for item in get_args(annotation)[1:]) and _has_schema(annotation)
        cls = get_origin(annotation) or annotation
        return isinstance(cls, type) and issubclass(cls, msgspec.Struct)

    def build_document(self, annotation: Any) -> dict[str, Any]:
        """Return the JSON Schema document of a type.

        Raises:
            TypeError: msgspec makes no schema of it.
        """
        try:
            return msgspec.json.schema(annotation)
        except Exception as error:  # noqa: BLE001 - an annotation may be anything
            reason = shorten_text(str(error).partition("\n")[0], _MAX_REASON_CHARS)
        raise TypeError(f"msgspec makes no JSON Schema of it: {reason}")

    def decode_value(self, value: Any, annotation: Any) -> Any:
        """Convert decoded JSON.

        Raises:
            DecodeFault: *value* does not fit.
        """
        try:
            return msgspec.convert(value, annotation, str_keys=True)
        except msgspec.ValidationError as error:
            problem = str(error)
        raise _parse_fault(problem)

    def encode_value(self, value: Any) -> Any:
        """Return the fields of an instance by their names in JSON, or as a list if the class says so; with its tag."""
        config = value.__struct_config__
        tag = {} if config.tag is None else {config.tag_field: config.tag}
        fields = tag | {field.encode_name: getattr(value, field.name) for field in msgspec.structs.fields(value)}
        if config.array_like:
            return list(fields.values())
        return {name: item for name, item in fields.items() if item is not msgspec.UNSET}


def _has_schema(annotation: Any) -> bool:
    try:
        msgspec.json.schema(annotation)
    except Exception:  # noqa: BLE001 - an annotation may be anything
        return False
    return True


def _parse_fault(problem: str) -> DecodeFault:
    """Return the fault that the text of a `msgspec.ValidationError` describes."""
    found = _PLACE.fullmatch(problem)
    reason, path = (found["reason"], found["path"] or "") if found else (problem, "")
    steps = [int(position) if position else name for name, position in _STEP.findall(path)]
    if missing := _MISSING.fullmatch(reason):
        return DecodeFault("it is missing", [*steps, missing[1]])
    return DecodeFault(shorten_text(reason[:1].lower() + reason[1:], _MAX_REASON_CHARS), steps)
