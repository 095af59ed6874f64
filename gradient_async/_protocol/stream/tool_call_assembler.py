"""Assembles tool calls from the deltas that arrive in a stream.

Contract: each delta is looked at once. A delta belongs to the call of its index, else to that of its id, else to the
call at its position among the latest; no index is trusted to be small, new or present, no id to be unique or constant.

Servers flatten parallel calls to one index, and leave out ids. So a delta with a name begins another call in the place
of a known one if one of these holds:

    its id is another one                                                 ``a`` ``find``, then ``b`` ``clock``
    its name is another one, and the known call has arguments or no id    ``find {"q":1}``, then ``clock``
    its name is the same, and the known arguments are whole JSON          ``find {"q":1}``, then ``find {"q":2}``

Otherwise it continues the known call: another id without a name is ignored, because some servers make a new id for
every piece; another name is the rest of one that comes in pieces (``get_``, ``weather``), or all of it so
far (``get_``, ``get_weather``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import attrs

from gradient_async._protocol.codec.converter import is_complete_json
from gradient_async._protocol.stream.json_pieces import build_object, is_repetition, merge_piece
from gradient_async._protocol.stream.text_parts import append_part, join_parts
from gradient_async.models import FunctionCall, ToolCall, ToolCallDelta
from gradient_async.models._raw_source import unknown_fields
from gradient_async.models.chat_chunk import FunctionCallDelta

_CALL_FIELDS, _FUNCTION_FIELDS = (frozenset(model.wire_fields) for model in (ToolCallDelta, FunctionCallDelta))


@attrs.define(eq=False, repr=False)
class _CallBuilder:
    """A tool call, as far as its deltas have arrived.

    Attributes:
        position: Its position among the calls, in the order of their first deltas.
        index: The index of its first delta.
        is_repeated: Whether its name came once more after its arguments were whole, without arguments: the arguments
            of another call of the same function may follow.
        extra: The unknown fields of the call; ``function_extra`` holds those of its function.
    """

    position: int
    index: int | None = None
    id: str | None = None
    type: str | None = None
    name: str = ""
    arguments: list[str] | None = None
    is_repeated: bool = False
    extra: dict[str, Any] = attrs.field(factory=dict)
    function_extra: dict[str, Any] = attrs.field(factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known of the call: its deltas were placeholders."""
        return not (self.id or self.name or self.arguments or self.extra or self.function_extra)

    @property
    def has_whole_arguments(self) -> bool:
        """Whether its arguments are a complete object. They are parsed only if their last part can end one."""
        last = next(filter(str.strip, reversed(self.arguments or ())), "")
        return last.rstrip().endswith("}") and is_complete_json(join_parts(self.arguments) or "")

    @property
    def has_placeholder(self) -> bool:
        """Whether its arguments are ``{}``, which some servers send before the real ones."""
        return self.arguments is not None and len(self.arguments) == 1 and self.arguments[0].strip() == "{}"

    def add(self, delta: ToolCallDelta) -> None:
        self.id = self.id or delta.id
        self.type = self.type or delta.type
        if extra := unknown_fields(delta, _CALL_FIELDS):
            merge_piece(self.extra, extra)
        if (function := delta.function) is None:
            return
        if extra := unknown_fields(function, _FUNCTION_FIELDS):
            merge_piece(self.function_extra, extra)
        if function.name:  # all of it so far, or the rest
            self.name = function.name if function.name.startswith(self.name) else self.name + function.name
        if function.arguments:
            if self.has_placeholder and function.arguments.strip():
                self.arguments = None
            self.arguments = append_part(self.arguments, function.arguments)

    def add_arguments(self, parts: Sequence[str]) -> None:
        """Add the arguments of deltas in a row that have nothing else."""
        rest = deque(filter(None, parts))
        while rest and (self.arguments is None or self.has_placeholder):
            self.add(ToolCallDelta(function=FunctionCallDelta(arguments=rest.popleft())))
        if self.arguments is not None:
            self.arguments.extend(rest)

    def repeats(self, delta: ToolCallDelta) -> bool:
        """Whether adding the unknown fields of *delta*, which was added before, once more changes nothing."""
        function = delta.function
        is_repeated = function is None or is_repetition(self.function_extra, unknown_fields(function, _FUNCTION_FIELDS))
        return is_repeated and is_repetition(self.extra, unknown_fields(delta, _CALL_FIELDS))

    def build_extra(self) -> dict[str, Any]:
        """Return the unknown fields of the call, those of its function below ``function``."""
        function = build_object(self.function_extra)
        return build_object(self.extra) | ({"function": function} if function else {})

    def build_call(self) -> ToolCall:
        return ToolCall(
            id=self.id or "",
            type=self.type or "function",
            function=FunctionCall(
                name=self.name,
                arguments=join_parts(self.arguments) or "",
                raw=build_object(self.function_extra) or None,
            ),
            raw=build_object(self.extra) or None,
        )


def _has_extra(delta: ToolCallDelta) -> bool:
    function = delta.function
    return bool(unknown_fields(delta, _CALL_FIELDS) or (function and unknown_fields(function, _FUNCTION_FIELDS)))


def _begins_call(delta: ToolCallDelta, known: _CallBuilder, *, is_new: bool) -> bool:
    """Whether *delta* begins another call in the place of the *known* one; *is_new* says that its chunk named that."""
    function = delta.function
    name, arguments = (function.name, (function.arguments or "").strip()) if function else (None, "")
    is_same_id = bool(delta.id) and delta.id == known.id
    if not name or not known.name:
        is_other_id = bool(name and delta.id and known.id) and not is_same_id
        return is_other_id or (known.is_repeated and bool(arguments) and known.has_whole_arguments)
    if not is_same_id and ((delta.id and known.id) or is_new):
        return True
    if name != known.name:
        return bool(known.arguments) or not known.id
    if is_same_id and known.has_placeholder:
        return False
    known.is_repeated = known.has_whole_arguments
    return known.is_repeated and bool(arguments)


@attrs.define(eq=False, repr=False)
class ToolCallAssembler:
    """Assembles the tool calls of one choice.

    Attributes:
        calls: Every call, in the order of its first delta.
        by_index: The latest call of each index.
        by_id: The latest call of each id.
    """

    calls: list[_CallBuilder] = attrs.field(factory=list)
    by_index: dict[int, _CallBuilder] = attrs.field(factory=dict)
    by_id: dict[str, _CallBuilder] = attrs.field(factory=dict)

    def add(self, deltas: list[ToolCallDelta]) -> list[int]:
        """Add the deltas of one chunk; return the position of the call that each belongs to."""
        first, known = len(self.calls) - len(deltas), len(self.calls)
        positions = []
        for position, delta in enumerate(deltas, start=first):
            call = self._find_call(delta, position)
            if call is None or _begins_call(delta, call, is_new=call.position >= known):
                call = self._start_call(delta, call)
            call.add(delta)
            positions.append(call.position)
        return positions

    def find_continued(self, delta: ToolCallDelta) -> _CallBuilder | None:
        """Return the call that deltas like *delta*, which was added and has no name, only add arguments to.

        None if that may depend on their arguments.
        """
        call = self._find_call(delta, len(self.calls) - 1)
        is_stable = call is not None and (
            call.index == delta.index if delta.index is not None else not delta.id or self.by_id.get(delta.id) is call
        )
        return call if call is not None and is_stable and not call.is_repeated and call.repeats(delta) else None

    def build_calls(self) -> list[ToolCall]:
        """Return the calls assembled so far: by index if each has one, else in the order of their first deltas."""
        return [call.build_call() for call in self._sort_calls()]

    def take_completed(self, taken: set[int], *, is_over: bool, is_cut: bool) -> list[ToolCall]:
        """Return the calls that are complete and not *taken*, and add their positions to *taken*.

        A call is complete if its arguments are whole and another call has begun, or if its choice is over.

        Args:
            taken: The positions of the calls that were returned before.
            is_over: Whether no more deltas are expected.
            is_cut: Whether the last call may have been cut off, so that only whole arguments count.
        """
        last = len(self.calls) - 1
        completed = [
            call
            for call in self._sort_calls()
            if call.position not in taken
            and ((is_over and not is_cut) or ((is_over or call.position < last) and call.has_whole_arguments))
        ]
        taken.update(call.position for call in completed)
        return [call.build_call() for call in completed]

    def _sort_calls(self) -> list[_CallBuilder]:
        calls = [call for call in self.calls if not call.is_empty]
        indexes = {call.position: call.index for call in calls if call.index is not None}
        return sorted(calls, key=lambda call: indexes[call.position]) if len(indexes) == len(calls) else calls

    def _find_call(self, delta: ToolCallDelta, position: int) -> _CallBuilder | None:
        """Return the known call at the place of *delta*: by index, else by id, else at *position*.

        An index that is new with a delta without a name is wrong, for a call begins with its name.
        """
        function, index = delta.function, delta.index
        by_id = self.by_id.get(delta.id) if delta.id else None
        if index is not None:
            latest = self.by_index.get(index)
            if by_id is not None and by_id.index == index:
                return by_id
            if latest is not None or (function and function.name):
                return latest
        if by_id is not None:
            return by_id
        if index is None and not delta.id:
            return self.calls[position] if position >= 0 else None
        is_rest = bool(self.calls and function and function.arguments)
        return self.calls[-1] if is_rest and not self.calls[-1].has_whole_arguments else None

    def _start_call(self, delta: ToolCallDelta, before: _CallBuilder | None) -> _CallBuilder:
        """Start a call; without a name it is another one of the function called *before*."""
        call = _CallBuilder(len(self.calls), delta.index)
        if before is not None and not (delta.function and delta.function.name):
            call.name = before.name
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
        extra: The unknown fields of the call so far, those of its function below ``function``; None if the delta has
            none.
    """

    position: int
    id: str | None
    name: str | None
    arguments: str | None
    extra: dict[str, Any] | None = None


@attrs.define
class ToolCallDeltaRouter:
    """Routes each delta of a stream to its tool call, for integrations that assemble the calls themselves."""

    _assembler: ToolCallAssembler = attrs.field(factory=ToolCallAssembler, init=False)
    _names: dict[int, str] = attrs.field(factory=dict, init=False)
    _held: dict[int, str] = attrs.field(factory=dict, init=False)
    """The placeholders of arguments, by position of the call."""

    def route_deltas(self, deltas: list[ToolCallDelta]) -> list[RoutedDelta]:
        """Return the deltas of one chunk, each with the position of its call.

        Some models repeat a function's name in every delta: only its new part is passed on. A placeholder of arguments
        is held back, because other arguments may replace it; `take_held` returns it in the end.
        """
        routed = []
        for position, delta in zip(self._assembler.add(deltas), deltas, strict=True):
            call = self._assembler.calls[position]
            if call.is_empty:
                continue
            name = call.name
            new_name = name[len(self._names.get(position, "")) :]
            self._names[position] = name
            arguments = self._hold_placeholder(call, delta.function.arguments if delta.function else None)
            extra = call.build_extra() if _has_extra(delta) else None
            routed.append(RoutedDelta(position, delta.id or None, new_name or None, arguments, extra))
        return routed

    def take_held(self) -> dict[int, str]:
        """Return the arguments that were held back and nothing has replaced, by position of the call."""
        held, self._held = self._held, {}
        return held

    def list_arguments(self) -> list[tuple[int, str]]:
        """Return the position and the arguments so far of each call."""
        calls = [call for call in self._assembler.calls if not call.is_empty]
        return [(call.position, join_parts(call.arguments) or "") for call in calls]

    def _hold_placeholder(self, call: _CallBuilder, arguments: str | None) -> str | None:
        """Return the part of the arguments to pass on: *arguments*, unless the call has a placeholder or just had."""
        if call.has_placeholder:
            self._held[call.position] = join_parts(call.arguments) or ""
            return None
        return arguments if self._held.pop(call.position, None) is None else join_parts(call.arguments)
