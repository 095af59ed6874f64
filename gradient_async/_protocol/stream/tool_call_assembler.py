"""Assembles tool calls and unknown fields from the parts that arrive in a stream.

Contract: each part is looked at once. A tool call is found by its index,
then by its id, then by its position among the latest; no index is trusted to be small, new or present.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from gradient_async._protocol.codec.converter import is_complete_json
from gradient_async._protocol.stream.text_parts import append_part, join_parts
from gradient_async.models import FunctionCall, ToolCall, ToolCallDelta
from gradient_async.models._raw_source import unknown_fields

_CALL_FIELDS = frozenset(ToolCallDelta.wire_fields)


def merge_unknown(known: dict[str, Any], new: Mapping[str, Any]) -> None:
    """Merge the unknown fields *new* into *known*: extend lists; of anything else keep the last value but null."""
    for name, value in new.items():
        if type(value) is list and type(items := known.get(name)) is list:
            items.extend(value)
        elif value is not None:
            known[name] = value.copy() if type(value) is list else value


def copy_unknown(extra: dict[str, Any]) -> dict[str, Any] | None:
    """Copy the unknown fields *extra*, lists included, for a snapshot; None if there are none."""
    return {name: value.copy() if type(value) is list else value for name, value in extra.items()} or None


@attrs.define(eq=False, repr=False)
class _CallBuilder:
    """A tool call, as far as its deltas have arrived."""

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

    def build_call(self) -> ToolCall:
        function = FunctionCall(name=self.name, arguments=join_parts(self.arguments) or "")
        return ToolCall(id=self.id or "", type=self.type or "function", function=function, raw=copy_unknown(self.extra))


def _starts_new_call(delta: ToolCallDelta, latest: _CallBuilder) -> bool:
    """Whether *delta*, without index and id, begins another call: it names a function, and *latest* cannot take it.

    The name is another one, or the arguments of *latest* are a complete object. They are parsed only if their last part
    can end one.
    """
    name = delta.function.name if delta.function else None
    if not name or not latest.name:
        return False
    if name != latest.name:
        return True
    last = next(filter(str.strip, reversed(latest.arguments or ())), "")
    return last.rstrip().endswith("}") and is_complete_json(join_parts(latest.arguments) or "")


@attrs.define(eq=False, repr=False)
class ToolCallAssembler:
    """Assembles the tool calls of one choice.

    Attributes:
        calls: Every call, in the order of its first delta.
        by_index: The latest call of each index.
        by_id: The call of each id.
    """

    calls: list[_CallBuilder] = attrs.field(factory=list)
    by_index: dict[int, _CallBuilder] = attrs.field(factory=dict)
    by_id: dict[str, _CallBuilder] = attrs.field(factory=dict)

    def add(self, deltas: list[ToolCallDelta]) -> list[int]:
        """Add the deltas of one chunk; return the position of the call that each belongs to."""
        first = len(self.calls) - len(deltas)
        positions = []
        for position, delta in enumerate(deltas, start=first):
            call = self._find_call(delta, position)
            call.add(delta)
            positions.append(call.position)
        return positions

    def build_calls(self) -> list[ToolCall]:
        """Return the calls assembled so far, in the order of their first deltas."""
        return [call.build_call() for call in self.calls]

    def _find_call(self, delta: ToolCallDelta, position: int) -> _CallBuilder:
        """Return the call that *delta* belongs to: by index, else by id, else at *position*; or a new one."""
        if delta.index is not None:
            call = self.by_index.get(delta.index)
            is_other = call is not None and call.id and delta.id and call.id != delta.id
            return self._start_call(delta) if call is None or is_other else call
        if delta.id:
            return self.by_id.get(delta.id) or self._start_call(delta)
        if position < 0 or _starts_new_call(delta, self.calls[position]):
            return self._start_call(delta)
        return self.calls[position]

    def _start_call(self, delta: ToolCallDelta) -> _CallBuilder:
        call = _CallBuilder(len(self.calls))
        self.calls.append(call)
        if delta.index is not None:
            self.by_index[delta.index] = call
        if delta.id:
            self.by_id[delta.id] = call
        return call


@attrs.frozen
class RoutedDelta:
    """A delta and the tool call that it belongs to.

    Attributes:
        position: The position of the call among the calls of its choice, from 0.
        id: The id in the delta, None if it has none.
        name: The part of the function's name that is new, None if there is none.
        arguments: The part of the arguments, None if there is none.
    """

    position: int
    id: str | None
    name: str | None
    arguments: str | None


@attrs.define
class ToolCallDeltaRouter:
    """Routes each delta of a stream to its tool call, for integrations that assemble the calls themselves."""

    _assembler: ToolCallAssembler = attrs.field(factory=ToolCallAssembler, init=False)
    _names: dict[int, str] = attrs.field(factory=dict, init=False)

    def route_deltas(self, deltas: list[ToolCallDelta]) -> list[RoutedDelta]:
        """Return the deltas of one chunk, each with the position of its call.

        Some models repeat a function's name in every delta: only its new part is passed on.
        """
        routed = []
        for position, delta in zip(self._assembler.add(deltas), deltas, strict=True):
            name = self._assembler.calls[position].name
            new_name = name[len(self._names.get(position, "")) :]
            self._names[position] = name
            arguments = delta.function.arguments if delta.function else None
            routed.append(RoutedDelta(position, delta.id or None, new_name or None, arguments))
        return routed
