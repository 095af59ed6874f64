"""Packs small items into groups that one request carries.

Contract: items keep their order; each is in one pack. A pack has at most so many items and so many bytes; an item that
is larger than a pack is alone in its own. An error of the source is raised after the items before it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import attrs


@attrs.frozen
class Pack:
    """Items that follow each other; *start* is the index of the first."""

    start: int
    items: list[Any]

    def __len__(self) -> int:
        return len(self.items)


@attrs.define(eq=False)
class PackIterator(AsyncIterator[Pack]):
    """The packs of *source*; sizes are those of texts, in characters."""

    source: AsyncIterator[Any]
    max_items: int
    max_size: int
    _start: int = attrs.field(default=0, init=False)
    _left: list[Any] = attrs.field(factory=list, init=False)
    _failure: Exception | None = attrs.field(default=None, init=False)

    async def __anext__(self) -> Pack:
        items, size = self._left, sum(map(_measure_item, self._left))
        self._left = []
        while len(items) < self.max_items and self._failure is None:
            try:
                item = await anext(self.source)
            except (Exception, StopAsyncIteration) as error:  # noqa: BLE001 - raised after the items before it
                self._failure = error
                break
            size += _measure_item(item)
            if items and size > self.max_size:
                self._left = [item]
                break
            items.append(item)
        if not items:
            raise self._failure or StopAsyncIteration
        start, self._start = self._start, self._start + len(items)
        return Pack(start, items)


def _measure_item(item: object) -> int:
    return len(item) if isinstance(item, str) else 0
