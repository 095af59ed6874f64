"""The order of the queue, against two lists."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async._protocol.rate_limit.priority_queue import Priority, PriorityQueue


class Entry:
    queued: bool


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
    assert len(queue._interactive.entries) < 100
    queue.discard(entries[0], "interactive")
    assert not queue._interactive.entries
