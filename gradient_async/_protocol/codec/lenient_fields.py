"""Odd values: what becomes of a field whose JSON value has another type than its model says.

Servers of one API disagree about types: ``created`` comes as a fraction or a date, ``logprobs`` as an empty list,
``arguments`` as an object. A response that was paid for is not lost for a field that only informs. Each field of a
model is treated as its metadata says (`gradient_async.models._base`):

    no metadata     the default of the field; ``raw`` keeps the odd value
    ``TEXT``        the value as JSON text: ``{"q": "tea"}`` becomes ``'{"q":"tea"}'``
    ``POSITION``    the number in a string of digits; else None, or refused if the field cannot be None
    ``ESSENTIAL``   refused, as without metadata if the field has no default; only an empty value (``[]``, ``""``) in
                    the place of an object or a list is its default

Null among the items of an optional list is skipped.

Contract: used for objects only that do not fit their model, so that usual responses do not pay for it.
"""

from __future__ import annotations

from collections.abc import Callable
from types import UnionType
from typing import Any, get_args, get_origin

import attrs
import cattrs

from gradient_async._protocol.codec.json_text import encode_jsonable
from gradient_async.models._base import Model

Hook = Callable[[Any, Any], Any]
STRUCTURE_ERRORS = (AttributeError, LookupError, TypeError, ValueError, RecursionError, cattrs.BaseValidationError)
"""The exceptions of a converter for a value that does not fit."""
_MAX_DIGITS = 18


def lenient_hooks(cls: type[Model], structure: Hook) -> dict[str, Hook]:
    """Return the hook of each field of *cls*; *structure* converts a value that fits."""
    return {field.name: _make_hook(field, structure) for field in attrs.fields(cls) if field.name in cls.wire_fields}


def _make_hook(field: attrs.Attribute[Any], structure: Hook) -> Hook:
    treatment = field.metadata.get("odd", "refuse" if field.default is attrs.NOTHING else "ignore")

    def convert(value: Any, kind: Any) -> Any:
        if field.default is None and type(value) is list and treatment != "encode":
            value = [item for item in value if item is not None]
        try:
            return structure(value, kind)
        except STRUCTURE_ERRORS:
            if treatment == "encode" and value is not False:
                return encode_jsonable(value).decode()
            if treatment == "parse" and _is_number(value):
                return int(value)
            is_refused = treatment == "refuse" and (value or not _is_container(kind))
            if is_refused or (treatment == "parse" and field.default is not None):
                raise
        return _default_of(field)

    return convert


def _default_of(field: attrs.Attribute[Any]) -> Any:
    factory = getattr(field.default, "factory", None)
    return field.default if factory is None else factory()


def _is_number(value: Any) -> bool:
    return type(value) is str and value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS


def _is_container(kind: Any) -> bool:
    """Whether *kind* is a model, a list or a dict, or one of them or None."""
    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    return any(
        get_origin(each) in (list, dict) or (isinstance(each, type) and issubclass(each, Model)) for each in kinds
    )
