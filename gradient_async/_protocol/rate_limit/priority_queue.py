"""`PriorityQueue`: the order in which waiting requests are served.

Contract: pure; times are in seconds on the caller's clock.

Fairness. First come, first served within a priority. Interactive entries go before bulk ones, but while both
wait, every eighth turn is bulk's: 7 interactive, 1 bulk. So bulk work never starves, and costs interactive work at
most an eighth of the rate. While one priority waits alone it gets every turn. Example with 9 interactive (i) and
3 bulk (b) entries, all waiting from the start::

    i i i i i i i b i i b b

The count of interactive turns in a row grows only while bulk waits, and starts again after each bulk turn.

Models. A model whose own quota is used up must not hold back the others. The queue of the key holds everybody, in
order of arrival; when its head may not go because of its model, the model is *parked* until the time when its quota
may admit the next request. Entries of a parked model that come to the head of the key's queue move behind it, into
the model's own queue, and the entry after them is next. Once the model may go again, the head of its queue competes
with the heads of the other queues, and the one that arrived first is next.

Nobody starves: an entry is passed only by entries of models that may go while its own may not, and of the entries
that may go, the one that waits longest is served first. Example: a1 to a3 are for model A, which admits one request
per second, b1 and b2 for model B without a quota; all wait from the start, and the key admits five::

    0 s   a1   A is parked until 1 s; a2 moves behind it, b1 and b2 are next; a3 moves
    0 s   b1 b2
    1 s   a2   older than whatever came since, parked until 2 s
    2 s   a3

Each entry moves at most once, so that serving it takes amortized constant time.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Iterator
from typing import Generic, Literal, Protocol, TypeVar

from gradient_async.errors import ConfigurationError, quote_argument

__all__ = ["Priority", "PriorityQueue", "QueueEntry"]

Priority = Literal["interactive", "bulk"]


class QueueEntry(Protocol):
    """An object that waits in at most one queue, once; the queue maintains *queued*, *number* and *parked*.

    Attributes:
        queued: Whether it waits.
        number: Its place in the order of arrival.
        parked: Whether it waits in the queue of its model.
    """

    queued: bool
    number: int
    parked: bool

    @property
    def model(self) -> str | None:
        """Name of the model for the quota of the entry, None without one."""


T = TypeVar("T", bound=QueueEntry)

_MAX_INTERACTIVE_IN_A_ROW = 7
_LOOKS_PER_ENTRY = 4
"""Entries of a lane, of any model, that `PriorityQueue.list_entries` looks at for each that it may return."""
_MIN_REMOVED_ENTRIES = 64
"""Removed entries that a lane keeps before it is worth rebuilding."""


class _Lane(Generic[T]):
    """The entries of one priority. Removed ones are only marked until they are the majority.

    An ordered dict, which removes at once, takes five times as long.

    Attributes:
        entries: Waiting and removed entries, the oldest first.
        size: Number of entries that wait.
    """

    __slots__ = ("entries", "size")

    def __init__(self) -> None:
        self.entries: deque[T] = deque()
        self.size = 0

    def append(self, entry: T) -> None:
        """Append *entry*."""
        self.entries.append(entry)
        self.size += 1

    def find_head(self) -> T | None:
        """Drop removed entries at the head; return the entry there, None if the lane is empty."""
        entries = self.entries
        while entries and not entries[0].queued:
            entries.popleft()
        return entries[0] if entries else None

    def remove_head(self) -> T:
        """Remove and return the entry that `find_head` returned."""
        self.size -= 1
        return self.entries.popleft()

    def remove_marked(self) -> None:
        """Account for one entry that was marked as removed; rebuild the lane if most entries are."""
        self.size -= 1
        if not self.size or len(self.entries) > 2 * self.size + _MIN_REMOVED_ENTRIES:
            self.entries = deque(entry for entry in self.entries if entry.queued)


class _Lanes(Generic[T]):
    """The entries of the key, or those that wait for one parked model.

    Attributes:
        until: When the quota of the model may admit the next request.
    """

    def __init__(self) -> None:
        self.interactive: _Lane[T] = _Lane()
        self.bulk: _Lane[T] = _Lane()
        self.until = -math.inf

    @property
    def size(self) -> int:
        return self.interactive.size + self.bulk.size

    def find_lane(self, priority: Priority) -> _Lane[T]:
        """Return the lane of *priority*.

        Raises:
            ConfigurationError: The priority is unknown.
        """
        if priority == "interactive":
            return self.interactive
        if priority == "bulk":
            return self.bulk
        raise ConfigurationError(f"priority is {quote_argument(priority)}: give 'interactive' or 'bulk'")


class PriorityQueue(Generic[T]):
    """Entries in the order in which they will be served; removing any of them takes amortized constant time.

    Attributes:
        size: Number of entries that wait.
    """

    __slots__ = ("_by_model", "_interactive_in_a_row", "_key", "_next", "_number", "_parked", "size")

    def __init__(self) -> None:
        self._key: _Lanes[T] = _Lanes()
        self._parked: dict[str | None, _Lanes[T]] = {}
        self._by_model: dict[str | None, int] = {}
        self._next: tuple[_Lane[T], int] | None = None  # the lane to serve, and the count of turns after that
        self._interactive_in_a_row = self._number = self.size = 0

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[T]:
        queues = [self._key, *self._parked.values()]
        lanes = [queue.interactive for queue in queues] + [queue.bulk for queue in queues]
        yield from [entry for lane in lanes for entry in lane.entries if entry.queued]

    def list_entries(self, model: str | None, most: int) -> list[T]:
        """Return up to *most* entries of *model* among the first ones of each lane, about in the order of service."""
        queues = [self._key, *([self._parked[model]] if model in self._parked else [])]
        lanes = [queue.interactive for queue in queues] + [queue.bulk for queue in queues]
        heads = [entry for lane in lanes for entry in itertools.islice(lane.entries, _LOOKS_PER_ENTRY * most)]
        return [entry for entry in heads if entry.queued and entry.model == model][:most]

    def push(self, entry: T, priority: Priority) -> bool:
        """Append *entry* to the lane of *priority*; return whether others wait for the same: the key, or its model.

        Raises:
            ConfigurationError: The priority is unknown.
        """
        queue, is_behind = self._key, True
        if not (queue.interactive.size or queue.bulk.size):
            # All others wait for their models. If they wait for this one too, the entry belongs behind them.
            parked = self._parked.get(entry.model) if self._parked else None
            queue, is_behind = (queue, False) if parked is None else (parked, True)
        lane = queue.interactive if priority == "interactive" else queue.find_lane(priority)
        entry.queued, entry.parked, entry.number = True, queue is not self._key, self._number
        self._number += 1
        self._by_model[entry.model] = self._by_model.get(entry.model, 0) + 1
        lane.entries.append(entry)
        lane.size += 1
        self.size += 1
        return is_behind

    def discard(self, entry: T, priority: Priority) -> bool:
        """Remove *entry*; return whether it was still waiting."""
        if not entry.queued:
            return False
        self._forget(entry)
        queue = self._parked[entry.model] if entry.parked else self._key
        queue.find_lane(priority).remove_marked()
        return True

    def peek(self, now: float = math.inf) -> T | None:
        """Return the entry to serve next at *now*, None if none waits or all wait for their models."""
        if not self.size:
            return None
        if self._parked:
            return self._peek_all(now)
        interactive, bulk = self._key.interactive, self._key.bulk
        if bulk.size:
            return self._choose_lane(interactive if interactive.size else None, bulk)
        self._next, entries = (interactive, self._interactive_in_a_row), interactive.entries
        return entries[0] if entries[0].queued else interactive.find_head()

    def pop(self) -> T:
        """Remove and return the entry that the preceding `peek` returned."""
        assert self._next is not None  # noqa: S101  peek was called; this tells mypy
        lane, self._interactive_in_a_row = self._next
        self._next = None
        entry = lane.entries.popleft()
        lane.size -= 1
        self._forget(entry)
        return entry

    def _forget(self, entry: T) -> None:
        entry.queued = False
        self.size -= 1
        left = self._by_model[entry.model] - 1
        if left:
            self._by_model[entry.model] = left
        else:
            del self._by_model[entry.model]

    # Models.

    def park(self, model: str | None, until: float) -> None:
        """Serve no entry of *model* before *until*, because its quota admits none."""
        if model not in self._parked:
            self._parked[model] = _Lanes()
        self._parked[model].until = until

    def unpark(self, model: str | None) -> None:
        """Try the entries of *model* again: its quota has changed."""
        if model in self._parked:
            self._parked[model].until = -math.inf

    def restrict_to(self, model: str | None) -> dict[str | None, float]:
        """Serve entries of *model* only; return what `lift_restriction` needs."""
        previous = {
            other: self._parked[other].until if other in self._parked else -math.inf
            for other in self._by_model
            if other != model
        }
        for other in previous:
            self.park(other, math.inf)
        return previous

    def lift_restriction(self, previous: dict[str | None, float]) -> None:
        """Serve all entries again, as before `restrict_to`."""
        for other, until in previous.items():
            self._parked[other].until = until

    def may_pass(self, model: str | None) -> bool:
        """Whether a new entry of *model* would be next: all others wait for other models."""
        return not (self._key.interactive.size or self._key.bulk.size or model in self._parked)

    def find_unpark_time(self) -> float:
        """Return when the first parked model may go again; infinite without one."""
        return min((queue.until for queue in self._parked.values()), default=math.inf)

    # Counting.

    def count_ahead(self, priority: Priority) -> int:
        """Return how many entries would be served before a new one of *priority* if no model had a quota."""
        key = self._key
        interactive, bulk = key.interactive.size, key.bulk.size
        for queue in self._parked.values():
            interactive, bulk = interactive + queue.interactive.size, bulk + queue.bulk.size
        if priority == "bulk":
            return bulk + min(interactive, (bulk + 1) * _MAX_INTERACTIVE_IN_A_ROW - self._interactive_in_a_row)
        if not bulk:
            return interactive
        return interactive + min(bulk, (self._interactive_in_a_row + interactive) // _MAX_INTERACTIVE_IN_A_ROW)

    def count_model(self, model: str | None) -> int:
        """Return how many entries of *model* wait."""
        return self._by_model.get(model, 0)

    def has_only(self, model: str | None) -> bool:
        """Whether no entry of another model waits."""
        return self._by_model.get(model, 0) == self.size

    def count_parked(self, model: str | None, priority: Priority) -> int:
        """Return how many entries of *model* and *priority* wait in the queue of the model."""
        queue = self._parked.get(model)
        return 0 if queue is None else queue.find_lane(priority).size

    # The next entry.

    def _peek_all(self, now: float) -> T | None:
        """Return the next entry from the queues of the key and of the models that may go at *now*."""
        for model in [model for model, queue in self._parked.items() if queue.until <= now and not queue.size]:
            del self._parked[model]
        ready = [queue for queue in self._parked.values() if queue.until <= now]
        interactive = self._find_oldest([queue.interactive for queue in ready], self._key.interactive, "interactive")
        bulk = self._find_oldest([queue.bulk for queue in ready], self._key.bulk, "bulk")
        if interactive is None and bulk is None:
            return None
        return self._choose_lane(interactive, bulk)

    def _choose_lane(self, interactive: _Lane[T] | None, bulk: _Lane[T] | None) -> T | None:
        """Return the next entry, by the rule of turns; None for a lane from which no entry may go."""
        in_a_row = self._interactive_in_a_row
        if bulk is not None and (interactive is None or in_a_row >= _MAX_INTERACTIVE_IN_A_ROW):
            self._next = bulk, 0
            return bulk.find_head()
        assert interactive is not None  # noqa: S101  not both are None; this tells mypy
        self._next = interactive, in_a_row if bulk is None else in_a_row + 1
        return interactive.find_head()

    def _find_oldest(self, ready: list[_Lane[T]], key: _Lane[T], priority: Priority) -> _Lane[T] | None:
        """Return the lane with the oldest head, after moving entries of parked models out of the *key*'s head."""
        while (head := key.find_head()) is not None and head.model in self._parked:
            head.parked = True
            self._parked[head.model].find_lane(priority).append(key.remove_head())
        heads = [(head.number, lane) for lane in [*ready, key] if (head := lane.find_head()) is not None]
        return min(heads, key=lambda head: head[0])[1] if heads else None
