"""The order of the queue, against two lists."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async._protocol.rate_limit.priority_queue import Priority, PriorityQueue


class Entry:
    queued: bool
    number: int
    parked: bool

    def __init__(self, model: str | None = None) -> None:
        self.model = model


class TwoLists:
    """A list for each priority, with every eighth turn for bulk while both wait."""

    def __init__(self) -> None:
        self.interactive: list[Entry] = []
        self.bulk: list[Entry] = []
        self._interactive_in_a_row = 0

    def lane(self, priority: Priority) -> list[Entry]:
        return self.interactive if priority == "interactive" else self.bulk

    def pop(self) -> Entry | None:
        if not self.bulk:
            return self.interactive.pop(0) if self.interactive else None
        if self.interactive and self._interactive_in_a_row < 7:
            self._interactive_in_a_row += 1
            return self.interactive.pop(0)
        self._interactive_in_a_row = 0
        return self.bulk.pop(0)


PRIORITIES: tuple[Priority, ...] = ("interactive", "bulk")
Step = tuple[str, Priority, int]
STEPS = st.lists(
    st.tuples(st.sampled_from(["push", "push", "discard", "pop"]), st.sampled_from(PRIORITIES), st.integers(0)),
    max_size=300,
)


@given(STEPS)
def test_the_order_is_that_of_two_lists_when_entries_are_removed(steps: list[Step]) -> None:
    queue: PriorityQueue[Entry] = PriorityQueue()
    model = TwoLists()
    for step, priority, place in steps:
        lane = model.lane(priority)
        if step == "push":
            lane.append(Entry())
            queue.push(lane[-1], priority)
        elif step == "discard" and lane:
            removed = lane.pop(place % len(lane))
            assert queue.discard(removed, priority)
            assert not queue.discard(removed, priority)
        elif step == "pop":
            expected = model.pop()
            assert queue.peek() is expected
            assert expected is None or queue.pop() is expected
        assert list(queue) == [*model.interactive, *model.bulk]
        assert len(queue) == queue.size == len(model.interactive) + len(model.bulk)


class Waiting(Entry):
    """An entry with its priority, as the reference needs it."""

    def __init__(self, priority: Priority, model: str) -> None:
        super().__init__(model)
        self.priority: Priority = priority


class OneList:
    """All entries in order of arrival; those of a parked model are passed over until its time."""

    def __init__(self) -> None:
        self.entries: list[Waiting] = []
        self.parked: dict[str, float] = {}
        self._interactive_in_a_row = 0

    def peek(self, now: float) -> Waiting | None:
        ready = [entry for entry in self.entries if self.parked.get(entry.model or "", 0.0) <= now]
        interactive = [entry for entry in ready if entry.priority == "interactive"]
        bulk = [entry for entry in ready if entry.priority == "bulk"]
        self._is_contended = bool(bulk)
        if bulk and (not interactive or self._interactive_in_a_row >= 7):
            return bulk[0]
        return interactive[0] if interactive else None

    def remove(self, entry: Waiting) -> None:
        self.entries.remove(entry)

    def pop(self, entry: Waiting) -> None:
        self.remove(entry)
        if self._is_contended:
            self._interactive_in_a_row = 0 if entry.priority == "bulk" else self._interactive_in_a_row + 1


MODELS = ("a", "b", "c")
MODEL_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["push", "push", "push", "discard", "pop", "pop", "park", "unpark"]),
        st.sampled_from(PRIORITIES),
        st.sampled_from(MODELS),
        st.integers(0, 5),
    ),
    max_size=200,
)


@given(MODEL_STEPS)
def test_the_order_is_that_of_arrival_among_the_entries_of_models_that_may_go(
    steps: list[tuple[str, Priority, str, int]],
) -> None:
    queue: PriorityQueue[Waiting] = PriorityQueue()
    reference = OneList()
    now = 0.0
    for step, priority, model, number in steps:
        now += number / 4
        expected = reference.peek(now)
        if step == "push":
            entry = Waiting(priority, model)
            may_pass = queue.may_pass(model)
            assert queue.push(entry, priority) != may_pass
            reference.entries.append(entry)
        elif step == "discard" and reference.entries:
            removed = reference.entries[number % len(reference.entries)]
            reference.remove(removed)
            assert queue.discard(removed, removed.priority)
        elif step == "pop":
            assert queue.peek(now) is expected
            if expected is not None:
                assert queue.pop() is expected
                reference.pop(expected)
        elif step == "park":
            queue.park(model, now + number)
            reference.parked[model] = now + number
        elif step == "unpark":
            queue.unpark(model)
            reference.parked.pop(model, None)
        assert queue.peek(now) is reference.peek(now)
        assert sorted(queue, key=id) == sorted(reference.entries, key=id)
        assert queue.size == len(reference.entries)
        assert queue.has_only("a") == all(entry.model == "a" for entry in reference.entries)


def test_a_parked_model_does_not_hold_back_others_and_keeps_its_place() -> None:
    queue: PriorityQueue[Entry] = PriorityQueue()
    entries = {name: Entry(name[0]) for name in ("a1", "a2", "b1", "a3", "b2")}
    for entry in entries.values():
        queue.push(entry, "interactive")
    queue.park("a", 1.0)
    served = []
    for now in (0.0, 0.0, 0.0, 1.0, 1.0, 2.0):
        if (head := queue.peek(now)) is not None:
            served.append((next(name for name, each in entries.items() if each is head), now))
            queue.pop()
            if head.model == "a":
                queue.park("a", now + 1.0)
    assert served == [("b1", 0.0), ("b2", 0.0), ("a1", 1.0), ("a2", 2.0)]
    assert queue.find_unpark_time() == 3.0
    assert queue.count_parked("a", "interactive") == queue.size == 1


def test_nine_interactive_and_three_bulk_entries_are_served_as_documented() -> None:
    queue: PriorityQueue[Entry] = PriorityQueue()
    bulk = {Entry() for _ in range(3)}
    for entry in bulk:
        queue.push(entry, "bulk")
    for _ in range(9):
        queue.push(Entry(), "interactive")
    served = ""
    while queue.peek() is not None:
        served += "b" if queue.pop() in bulk else "i"
    assert served == "iiiiiiibiibb"


@pytest.mark.parametrize("priority", PRIORITIES)
@pytest.mark.parametrize("served", range(20))
def test_count_ahead_is_the_exact_number_served_before_a_new_entry(served: int, priority: Priority) -> None:
    queue: PriorityQueue[Entry] = PriorityQueue()
    newcomer = Entry()
    for _ in range(40):
        queue.push(Entry(), "interactive")
    for _ in range(3):
        queue.push(Entry(), "bulk")
    for _ in range(served):
        queue.peek()
        queue.pop()
    ahead = queue.count_ahead(priority)
    queue.push(newcomer, priority)
    for _ in range(ahead):
        assert queue.peek() is not newcomer
        queue.pop()
    assert queue.peek() is newcomer


def test_removed_entries_are_not_kept() -> None:
    queue: PriorityQueue[Entry] = PriorityQueue()
    entries = [Entry() for _ in range(1000)]
    for entry in entries:
        queue.push(entry, "interactive")
    for entry in entries[1:]:
        queue.discard(entry, "interactive")
    assert len(queue._key.interactive.entries) < 100
    queue.discard(entries[0], "interactive")
    assert not queue._key.interactive.entries
