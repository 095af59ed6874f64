"""Merges JSON objects that arrive in pieces, whatever their fields are.

Two pieces of one field are merged by what they are:

    text after text         the text grows; one that is only repeated stays as it is
    object after object     each of its fields is merged
    list after list         the list grows; an object with the ``index`` of a known one is merged into it, unless its
                            ``type`` or ``id`` is another one
    anything else           the last value that is not null

Worked example: ``{"content": "So "}``, ``{"content": "far", "n": 1}`` and ``{"content": None, "n": 2}`` are merged
into ``{"content": "So far", "n": 2}``.

Contract: time linear in the pieces. Texts are joined only when the object is built. The pieces themselves are never
changed, and what was built is not changed by later pieces.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradient_async._protocol.stream.text_parts import join_parts


class _Text(list[str]):
    """The parts of a text that grows.

    Attributes:
        is_repeated: Whether every part so far was the same: it may be a name, which is no part of a longer text.
    """

    is_repeated = True


class _Object(dict[str, Any]):
    """An object that grows."""


class _List(list[Any]):
    """A list that grows."""

    def __init__(self, items: list[Any]) -> None:
        super().__init__()
        self._positions: dict[tuple[int, str | None], int] = {}
        self.extend_by_index(items)

    def extend_by_index(self, items: list[Any]) -> None:
        """Append each of *items*, or merge it into the object with the same ``index`` from an earlier list."""
        appended: dict[tuple[int, str | None], int] = {}
        for item in items:
            index = item.get("index") if isinstance(item, dict) else None
            if type(index) is int and (position := self._find_position(index, item)) is not None:
                self[position] = _merge_indexed(self[position], item)
            else:
                if type(index) is int:
                    appended[index, _label(item, "type")] = appended[index, None] = len(self)
                self.append(item)
        self._positions |= appended

    def _find_position(self, index: int, item: dict[str, Any]) -> int | None:
        """Return the position of the object with this *index* that *item* is a piece of, None if there is none."""
        kind = _label(item, "type")
        position = self._positions.get((index, kind))
        if position is None:
            position = self._positions.get((index, None))
            if position is None or (kind is not None and _label(self[position], "type") is not None):
                return None
        ids = {_label(item, "id"), _label(self[position], "id")} - {None, ""}
        return position if len(ids) <= 1 else None


def append_text(fields: dict[str, Any], name: str, part: str) -> None:
    """Append *part* to the text *name* of *fields*, repeated or not; a value of another type is replaced."""
    known = fields.get(name)
    if type(known) is _Text:
        known.append(part)
    else:
        known = fields[name] = _Text([known, part] if type(known) is str else [part])
    known.is_repeated = False


def merge_piece(fields: dict[str, Any], piece: Mapping[str, Any]) -> None:
    """Merge every field of *piece* into *fields*."""
    for name, value in piece.items():
        fields[name] = merge_value(fields.get(name), value)


def merge_value(known: Any, new: Any) -> Any:
    """Return the value *known*, None for none, with the piece *new* merged into it."""
    if known is None or new is None:
        return new if known is None else known
    if type(new) is str and type(known) in (str, _Text):
        return _append(known if type(known) is _Text else _Text([known]), new)
    if type(new) is dict and isinstance(known, dict):
        known = known if type(known) is _Object else _Object(known)
        merge_piece(known, new)
        return known
    if type(new) is list and isinstance(known, list) and type(known) is not _Text:
        known = known if type(known) is _List else _List(known)
        known.extend_by_index(new)
        return known
    return new


def update_object(known: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return *known* with the fields of *new* that are neither null nor ``""``; objects are updated alike."""
    values = dict(known)
    for name, value in new.items():
        old = values.get(name)
        if type(value) is dict and isinstance(old, dict):
            values[name] = update_object(old, value)
        elif old is None or value not in (None, ""):
            values[name] = value
    return values


def build_object(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON object that was merged into *fields*; values that did not grow are shared."""
    return {name: _build_value(value) for name, value in fields.items()}


def is_repetition(fields: Mapping[str, Any], piece: Mapping[str, Any]) -> bool:
    """Whether merging *piece*, which was merged into *fields* before, once more changes nothing."""
    return all(_is_repeated(fields.get(name), value) for name, value in piece.items())


def _is_repeated(known: Any, value: Any) -> bool:
    if type(value) is str and type(known) is _Text:
        return known.is_repeated and known[0] == value
    if type(value) is dict and isinstance(known, dict):
        return is_repetition(known, value)
    return not value if type(value) is list else True


def _label(fields: dict[str, Any], name: str) -> str | None:
    """Return the text *name* of *fields* that names them and never grows, None if there is none."""
    value = fields.get(name)
    value = value[0] if type(value) is _Text else value
    return value if type(value) is str else None


def _build_value(value: Any) -> Any:
    if type(value) is _Text:
        return join_parts(value)
    if type(value) is _Object:
        return build_object(value)
    return [_build_value(item) for item in value] if type(value) is _List else value


def _append(text: _Text, part: str) -> _Text:
    """Append *part* to *text*, unless every part was the same so far and this is the same again."""
    if not text.is_repeated or text[0] != part:
        text.append(part)
        text.is_repeated = False
    return text


def _merge_indexed(known: dict[str, Any], new: dict[str, Any]) -> Any:
    """Merge *new* into *known*, which has the same index."""
    return merge_value(known, {name: value for name, value in new.items() if name != "index"})
