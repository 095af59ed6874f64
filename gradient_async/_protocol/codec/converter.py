"""Decoded JSON objects to models, by the converter of `cattrs_converter`, which is loaded for the first of them.

The `fast_reader` reads most responses. A program that meets no other does not load cattrs, which takes as long as
fifteen modules of this library.

Contract: as `cattrs_converter`.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from gradient_async._protocol.codec.json_text import decode_json, encode_json, is_complete_json, shorten_text
from gradient_async.models._base import Model

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["decode_json", "encode_json", "is_complete_json", "shorten_text", "structure"]

M = TypeVar("M", bound=Model)


def structure(value: Any, cls: type[M], *, raw: dict[str, Any] | None = None) -> M:
    """Convert *value*, a decoded JSON object, to a *cls*.

    Args:
        value: The JSON object.
        cls: The class of the model.
        raw: The object as it arrived, where *value* is an edited copy of it. It becomes the model's ``raw``.

    Raises:
        ResponseDecodeError: A field that matters has the wrong type; the error names its path.
    """
    model: M = _load_converter()(value, cls)
    if raw is not None:
        model._raw = raw
    return model


@cache
def _load_converter() -> Callable[[Any, type[Any]], Any]:
    from gradient_async._protocol.codec.cattrs_converter import convert_object

    return convert_object
