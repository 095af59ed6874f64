"""The values of the private field ``Model._raw``: where the JSON object behind a model comes from.

Models are decoded far more often than ``raw`` and ``extra`` are read. A model therefore keeps the cheapest thing from
which its JSON object can still be made, and makes the object on first access:

    None                    nothing: the model was assembled, or made by hand
    dict                    the JSON object itself
    bytes                   its JSON text
    (source, *arguments)    a `RawSource`, and the arguments of its `load_object`

Example: the fast reader decodes ``{"choices": [{"index": 0}]}``. The completion keeps ``(source, document)`` and its
choice ``(source, document, "choices", 0)``; ``document`` is one list that both share, so the text is decoded once.

Contract: every other module reads these values by the functions below. Two hot paths write the tuple in place,
because a call would cost more than the tuple: the fast reader (`JSONTextSource`) and the chunk template (its own
source). Where a call is too dear for reading too, the source is ``raw[SOURCE]``.
"""

import json
from functools import reduce
from operator import getitem
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from gradient_async.models._base import Model

RawValue = dict[str, Any] | bytes | tuple[Any, ...] | None
SOURCE = 0
"""Position of the `RawSource` in a tuple."""
_NO_FIELDS: dict[str, Any] = {}


class RawSource(Protocol):
    """The first item of a tuple; it knows how to make the JSON object from the others."""

    @property
    def all_fields_known(self) -> bool:
        """Whether no object it makes has a field that its model does not know."""
        ...

    def load_object(self, cls: type["Model"], *arguments: Any) -> Any:
        """Return the JSON object of a *cls*; *arguments* are the rest of its tuple."""
        ...


class LazySource(RawSource, Protocol):
    """The first item of the tuple of a `LazyModel`; it also builds the model."""

    def assemble_model(self, *arguments: Any) -> "Model":
        """Return the model with all its fields; *arguments* are the rest of its tuple."""
        ...


class JSONTextSource:
    """The source of models that were decoded from one JSON text.

    Attributes:
        all_fields_known: Whether the models know every field in the text.
    """

    __slots__ = ("all_fields_known",)

    def __init__(self, *, all_fields_known: bool) -> None:
        self.all_fields_known = all_fields_known

    def load_object(self, _cls: type["Model"], document: list[Any], *path: str | int) -> Any:
        """Return the JSON object at *path* in *document*.

        The document is a list of one item, which all models of the text share: the text, and from the first access on
        the decoded text. Decoding once for each model would take quadratic time.
        """
        (value,) = document  # read once: another thread may replace it
        if isinstance(value, bytes):
            value = document[0] = load_json(value.decode(errors="replace"))
        return reduce(getitem, path, value)


def load_json(text: str) -> Any:
    """Decode the JSON value in *text*. An integer that Python would refuse to print stays text.

    Raises:
        ValueError, RecursionError: As ``json.loads``.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # of an integer with more digits than sys.get_int_max_str_digits()
        return json.loads(text, parse_int=_parse_integer)


def _parse_integer(digits: str) -> int | str:
    try:
        return int(digits)
    except ValueError:
        return digits


def load_object(raw: RawValue, cls: type["Model"]) -> dict[str, Any]:
    """Return the JSON object that *raw*, kept by a *cls*, stands for; an empty one if it stands for none."""
    if isinstance(raw, bytes):
        raw = load_json(raw.decode(errors="replace"))
    elif isinstance(raw, tuple):
        source, *arguments = raw
        raw = source.load_object(cls, *arguments)
    return raw if isinstance(raw, dict) else {}


def find_json_text(model: "Model") -> bytes | None:
    """Return the JSON text that *model* as a whole was decoded from, None if that is not kept as text."""
    raw = model._raw
    if type(raw) is not tuple or not isinstance(raw[SOURCE], JSONTextSource):
        return None
    (text,), *path = raw[1:]
    return text if not path and isinstance(text, bytes) else None


def unknown_fields(model: "Model", known: frozenset[str]) -> dict[str, Any]:
    """Return the fields of *model*'s JSON object that are not *known*. Do not change the result.

    Hot: most models have none. That is seen without decoding and without building a dict.
    """
    raw = model._raw
    if type(raw) is dict:
        return _NO_FIELDS if raw.keys() <= known else model.extra
    has_none = raw is None or (type(raw) is tuple and raw[SOURCE].all_fields_known)
    return _NO_FIELDS if has_none else model.extra
