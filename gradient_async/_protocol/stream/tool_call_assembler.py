"""Texts, tool calls and unknown fields that arrive in pieces.

Contract: a piece is looked at once; nothing is joined before somebody asks. A tool call is found by its index, then
by its id, then by its position among the latest; no index is trusted to be small, new or there at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from gradient_async._protocol.codec.converter import is_complete_json
from gradient_async.models import FunctionCall, Model, ToolCall, ToolCallDelta

_NOTHING: dict[str, Any] = {}
_CALL_FIELDS = frozenset(ToolCallDelta.wire_fields)


def append_part(pieces: list[str] | None, piece: str) -> list[str]:
    """Return the *pieces* of a text with one more; None has become a list."""
    if pieces is None:
        return [piece]
    pieces.append(piece)
    return pieces


def join_parts(pieces: list[str] | None) -> str | None:
    """Return the text of *pieces*, which become one; None if there is none."""
    if pieces is None:
        return None
    pieces[:] = [_mended("".join(pieces))]
    return pieces[0]


def _mended(text: str) -> str:
    """Return *text* with surrogate pairs that arrived as two halves made one character."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass") if _paired(text) else text
    return text


def _paired(text: str) -> bool:
    """Whether every surrogate in *text* is half of a pair."""
    try:
        text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        return False
    return True


def unknown_fields(model: Model, known: frozenset[str]) -> dict[str, Any]:
    """Return the fields of *model* that it does not know; most have none, which is seen without making a dict."""
    raw = model._raw
    if type(raw) is dict:
        return _NOTHING if raw.keys() <= known else model.extra
    has_none = raw is None or (type(raw) is tuple and raw[0].is_known)
    return _NOTHING if has_none else model.extra


def merge_unknown(known: dict[str, Any], news: Mapping[str, Any]) -> None:
    """Add unknown fields: lists are extended, of anything else the last value that is not null wins."""
    for name, value in news.items():
        if type(value) is list and type(items := known.get(name)) is list:
            items.extend(value)
        elif value is not None:
            known[name] = value.copy() if type(value) is list else value


def copy_unknown(extra: dict[str, Any]) -> dict[str, Any] | None:
    """Return *extra* for a snapshot, which later pieces do not change; None if there is nothing."""
    return {name: value.copy() if type(value) is list else value for name, value in extra.items()} or None


@attrs.define(eq=False, repr=False)
class _Call:
    """A tool call in the making."""

    position: int
    id: str | None = None
    type: str | None = None
    name: str = ""
    arguments: list[str] | None = None
    extra: dict[str, Any] = attrs.field(factory=dict)

    def add(self, delta: ToolCallDelta) -> None:
        self.id = self.id or delta.id
        self.type = self.type or delta.type
        if extra := unknown_fields(delta, _CALL_FIELDS):
            merge_unknown(self.extra, extra)
        if (function := delta.function) is None:
            return
        if function.name and function.name != self.name:
            self.name += function.name
        if function.arguments is not None:
            self.arguments = append_part(self.arguments, function.arguments)

    def is_finished_before(self, delta: ToolCallDelta) -> bool:
        """Whether *delta*, which has neither index nor id, must begin another call."""
        name = delta.function.name if delta.function else None
        return bool(name and self.name and (name != self.name or self._is_whole()))

    def _is_whole(self) -> bool:
        """Whether the arguments are an object that has ended; they are read only if their last piece could end it."""
        last = next(filter(str.strip, reversed(self.arguments or ())), "")
        return last.rstrip().endswith("}") and is_complete_json(join_parts(self.arguments) or "")

    def value(self) -> ToolCall:
        function = FunctionCall(name=self.name, arguments=join_parts(self.arguments) or "")
        return ToolCall(id=self.id or "", type=self.type or "function", function=function, raw=copy_unknown(self.extra))


@attrs.define(eq=False, repr=False)
class ToolCallAssembler:
    """The tool calls of one choice, found by index, then by id, then by position."""

    calls: list[_Call] = attrs.field(factory=list)
    by_index: dict[int, _Call] = attrs.field(factory=dict)
    by_id: dict[str, _Call] = attrs.field(factory=dict)

    def add(self, deltas: list[ToolCallDelta]) -> list[int]:
        """Add the pieces that one chunk brings; return the position of the call that each belongs to."""
        first = len(self.calls) - len(deltas)
        positions = []
        for position, delta in enumerate(deltas, start=first):
            call = self._call_for(delta, position)
            call.add(delta)
            positions.append(call.position)
        return positions

    def _call_for(self, delta: ToolCallDelta, position: int) -> _Call:
        if delta.index is not None:
            call = self.by_index.get(delta.index)
            is_other = call is not None and call.id and delta.id and call.id != delta.id
            return self._begun(delta) if call is None or is_other else call
        if delta.id:
            return self.by_id.get(delta.id) or self._begun(delta)
        if position < 0 or self.calls[position].is_finished_before(delta):
            return self._begun(delta)
        return self.calls[position]

    def _begun(self, delta: ToolCallDelta) -> _Call:
        call = _Call(len(self.calls))
        self.calls.append(call)
        if delta.index is not None:
            self.by_index[delta.index] = call
        if delta.id:
            self.by_id[delta.id] = call
        return call

    def value(self) -> list[ToolCall]:
        """Return the calls so far, in the order of their first pieces."""
        return [call.value() for call in self.calls]


@attrs.frozen
class RoutedDelta:
    """What a delta adds to the tool call at a position."""

    position: int
    id: str | None
    name: str | None
    arguments: str | None


@attrs.define
class ToolCallDeltaRouter:
    """Tells which tool call of a stream each delta belongs to, for those who put the calls together themselves."""

    _calls: ToolCallAssembler = attrs.field(factory=ToolCallAssembler, init=False)
    _names: dict[int, str] = attrs.field(factory=dict, init=False)

    def route_deltas(self, deltas: list[ToolCallDelta]) -> list[RoutedDelta]:
        """Return what *deltas*, those of one chunk, add."""
        positions = self._calls.add(deltas)
        return [self._piece(position, delta) for position, delta in zip(positions, deltas, strict=True)]

    def _piece(self, position: int, delta: ToolCallDelta) -> RoutedDelta:
        """Return what *delta* adds; of the name what is new, because some models repeat it."""
        told, name = self._names.get(position, ""), self._calls.calls[position].name
        self._names[position] = name
        arguments = delta.function.arguments if delta.function else None
        return RoutedDelta(position, delta.id or None, name[len(told) :] or None, arguments)
