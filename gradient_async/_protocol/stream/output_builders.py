"""Builders of a response's output, its items and their parts, from whole values and from pieces.

Contract: a builder keeps the JSON object, known fields or not. A whole value replaces the pieces of a field, unless it
is empty. No index is trusted to be small, new or present. What was built is not changed by later pieces.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from gradient_async._protocol.codec.converter import structure
from gradient_async._protocol.stream.response_pieces import Piece
from gradient_async._protocol.stream.text_parts import join_parts
from gradient_async.models.response_event import ResponseEvent
from gradient_async.models.responses import OutputItem, OutputPart

ITEM_ADDED = "response.output_item.added"
_PART_LISTS = ("content", "summary")
_KEPT_TEXTS = frozenset({"arguments", "code", "data", "input", "refusal", "text", "transcript"})
"""Fields whose pieces stay if a whole value lacks the field: some upstreams send the text in pieces only."""


@attrs.define(eq=False, repr=False)
class FieldsBuilder:
    """The fields of an item or a part, as far as they have arrived.

    Attributes:
        fields: The fields that arrived whole.
        texts: The parts of each text that came in pieces.
        lists: The members of each list that came in pieces.
    """

    fields: dict[str, Any] = attrs.field(factory=dict)
    texts: dict[str, list[str]] = attrs.field(factory=dict, init=False)
    lists: dict[str, list[Any]] = attrs.field(factory=dict, init=False)

    def replace_fields(self, fields: Mapping[str, Any]) -> None:
        """Replace every field that *fields* has, and the pieces of those that are not empty."""
        self.texts = {
            name: parts
            for name, parts in self.texts.items()
            if not fields.get(name) and (name in fields or name in _KEPT_TEXTS)
        }
        self.lists = {name: members for name, members in self.lists.items() if not fields.get(name)}
        self.fields |= {name: value for name, value in fields.items() if value is not None or name not in self.fields}

    def append_text(self, name: str, part: str) -> None:
        """Append *part* to the text *name*."""
        if (parts := self.texts.get(name)) is None:
            known = self.fields.get(name)
            parts = self.texts[name] = [known] if type(known) is str else []
        parts.append(part)

    def replace_text(self, name: str, whole: Any) -> None:
        """Replace the text *name* by the *whole* of it, which may be an object instead; not by an empty one."""
        if whole:
            self.texts.pop(name, None)
            self.fields[name] = whole

    def extend_list(self, name: str, members: list[Any]) -> None:
        """Append *members* to the list *name*."""
        self.lists.setdefault(name, []).extend(members)

    def build_fields(self) -> dict[str, Any]:
        """Return the JSON object."""
        texts = {name: join_parts(parts) for name, parts in self.texts.items()}
        lists = {name: [*(self.fields.get(name) or ()), *members] for name, members in self.lists.items()}
        return self.fields | texts | lists


class PartBuilder(FieldsBuilder):
    """A part of an item."""

    __slots__ = ()

    def build_part(self) -> OutputPart:
        """Return the part."""
        part = structure(self.build_fields(), OutputPart)
        part._raw = part._unheld or None
        return part


@attrs.define(eq=False, repr=False)
class ItemBuilder(FieldsBuilder):
    """An item of the output.

    Attributes:
        index: The index that the service gave it.
        parts: The parts of its content and of its summary by their index, as far as it has them.
        is_announced: Whether the item itself has arrived, not only pieces of it.
        is_done: Whether its final form has arrived.
    """

    index: int = attrs.field(kw_only=True)
    parts: dict[str, dict[int, PartBuilder]] = attrs.field(factory=dict, init=False)
    is_announced: bool = attrs.field(default=False, init=False)
    is_done: bool = attrs.field(default=False, init=False)

    def is_same(self, item: OutputItem, *, is_begin: bool) -> bool:
        """Whether *item* is a form of this item, and not another item at its index."""
        known_id = self.fields.get("id")
        if not self.is_announced or (known_id and known_id == item.id):
            return True
        has_other_id = known_id and item.id
        return item.type == self.fields.get("type") and not (has_other_id and (is_begin or self.is_done))

    def replace_item(self, item: OutputItem) -> None:
        """Replace every field that *item* has; content, summary and texts only if they are not empty."""
        self.is_announced = True
        fields = dict(item.raw)
        for name in _PART_LISTS:
            parts: list[OutputPart] | None = getattr(item, name)
            if parts is None:
                continue
            fields.pop(name, None)
            if parts or name not in self.parts:
                self.parts[name] = {
                    index: PartBuilder(part.raw | {"type": part.type}) for index, part in enumerate(parts)
                }
        self.replace_fields(fields | {"type": item.type})

    def build_item(self) -> OutputItem:
        """Return the item."""
        item = structure(self.build_fields(), OutputItem)
        for name, parts in self.parts.items():
            setattr(item, name, [parts[index].build_part() for index in sorted(parts)])
        item._raw = item._unheld or None
        return item


@attrs.define(eq=False, repr=False)
class OutputBuilder:
    """The output of a response.

    Attributes:
        items: The items in the order of their arrival.
    """

    items: list[ItemBuilder] = attrs.field(factory=list, init=False)
    _newest: dict[int, ItemBuilder] = attrs.field(factory=dict, init=False)
    """The last item that was started at each index."""
    _by_id: dict[tuple[int | None, str], ItemBuilder] = attrs.field(factory=dict, init=False)
    """The items by index and id, and by id alone."""
    _latest: ItemBuilder | None = attrs.field(default=None, init=False)

    def replace_items(self, output: list[OutputItem]) -> None:
        """Replace the items by those of *output*; the pieces of an item stay where its final form is empty."""
        known, self.items, self._newest, self._by_id = self._newest, [], {}, {}
        for index, item in enumerate(output):
            builder = known.get(index)
            if builder is None or not builder.is_same(item, is_begin=True):
                builder = ItemBuilder(index=index)
            self._register(builder, item.id)
            builder.replace_item(item)

    def replace_item(self, event: ResponseEvent, item: OutputItem) -> None:
        """Start *item*, or replace it by another form of it."""
        is_begin = event.type == ITEM_ADDED
        item_id = item.id or event.item_id
        builder = self._look_up(event.output_index, item_id, is_begin=is_begin)
        if builder is None and item_id and not is_begin:  # some upstreams lose the index of an item that is done
            named = self._by_id.get((None, item_id))
            builder = None if named is None or named.is_done else named
        if builder is None or not builder.is_same(item, is_begin=is_begin):
            builder = self._start_item(event.output_index, item_id)
        elif item_id:
            self._register_id(builder, item_id)
        builder.replace_item(item)
        builder.is_done, self._latest = not is_begin, builder

    def find_builder(self, event: ResponseEvent, piece: Piece) -> FieldsBuilder:
        """Return the builder of the item or part that has the field of *piece*."""
        return self.find_item(event, piece) if piece.part_type is None else self.find_part(event, piece)

    def find_part(self, event: ResponseEvent, piece: Piece) -> PartBuilder:
        """Return the part that an event is about; a new one if none was announced."""
        item = self.find_item(event, piece)
        name = "summary" if piece.is_in_summary else "content"
        index = (event.summary_index if piece.is_in_summary else event.content_index) or 0
        parts = item.parts.setdefault(name, {})
        if (part := parts.get(index)) is None:
            part = parts[index] = PartBuilder({"type": piece.part_type})
        return part

    def find_item(self, event: ResponseEvent, piece: Piece) -> ItemBuilder:
        """Return the item that an event is about; a new one if none was announced."""
        item_id = event.item_id
        builder = self._look_up(event.output_index, item_id, is_begin=False)
        if builder is None and item_id:
            builder = self._by_id.get((None, item_id))
        if builder is None:
            builder = self._start_item(event.output_index, item_id)
            builder.fields = {"type": piece.item_type} | ({"id": item_id} if item_id else {})
        self._latest = builder
        return builder

    def _look_up(self, index: int | None, item_id: str | None, *, is_begin: bool) -> ItemBuilder | None:
        """Return the item by its index, else by its id, else the latest; ids tell items of one index apart."""
        if index is not None:
            return (self._by_id.get((index, item_id)) if item_id else None) or self._newest.get(index)
        if item_id:
            return self._by_id.get((None, item_id))
        return None if is_begin else self._latest

    def _start_item(self, index: int | None, item_id: str | None) -> ItemBuilder:
        builder = ItemBuilder(index=max(self._newest, default=-1) + 1 if index is None else index)
        self._register(builder, item_id)
        return builder

    def _register(self, builder: ItemBuilder, item_id: str | None) -> None:
        self.items.append(builder)
        self._newest[builder.index] = builder
        if item_id:
            self._register_id(builder, item_id)

    def _register_id(self, builder: ItemBuilder, item_id: str) -> None:
        self._by_id[builder.index, item_id] = self._by_id[None, item_id] = builder

    def build_items(self) -> list[OutputItem]:
        """Return the items by their index; in the order of their arrival if an index was used twice."""
        items = self.items
        if len(self._newest) == len(items):
            items = sorted(items, key=lambda item: item.index)
        return [item.build_item() for item in items]
