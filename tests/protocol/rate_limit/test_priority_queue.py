"""The queue against the obvious one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async._protocol.rate_limit.priority_queue import PriorityQueue


class Somebody:
    queued: bool


PRIORITIES = st.sampled_from(["interactive", "bulk"])
STEPS = st.lists(
    st.tuples(st.sampled_from(["push", "push", "leave", "serve"]), PRIORITIES, st.integers(0)), max_size=300
)


class Obvious:
    """Two lists."""

    def __init__(self):
        self.lanes, self.in_a_row = {"interactive": [], "bulk": []}, 0

    def serve(self):
        interactive, bulk = self.lanes["interactive"], self.lanes["bulk"]
        if not bulk:
            return interactive.pop(0) if interactive else None
        if interactive and self.in_a_row < 7:
            self.in_a_row += 1
            return interactive.pop(0)
        self.in_a_row = 0
        return bulk.pop(0)


@given(STEPS)
def test_whoever_leaves_the_others_keep_their_order(steps):
    queue, obvious = PriorityQueue(), Obvious()
    for step, priority, which in steps:
        lane = obvious.lanes[priority]
        if step == "push":
            lane.append(Somebody())
            queue.push(lane[-1], priority)
        elif step == "leave" and lane:
            gone = lane.pop(which % len(lane))
            assert queue.discard(gone, priority)
            assert not queue.discard(gone, priority)
        elif step == "serve":
            expected = obvious.serve()
            assert queue.peek() is expected
            assert expected is None or queue.pop() is expected
        assert list(queue) == [*obvious.lanes["interactive"], *obvious.lanes["bulk"]]
        assert len(queue) == queue.size == sum(map(len, obvious.lanes.values()))


@pytest.mark.parametrize("priority", ["interactive", "bulk"])
@pytest.mark.parametrize("served", range(20))
def test_a_newcomer_is_told_exactly_how_many_go_before_it(served, priority):
    queue, newcomer = PriorityQueue(), Somebody()
    for lane in ["interactive"] * 40 + ["bulk"] * 3:
        queue.push(Somebody(), lane)
    for _ in range(served):
        queue.peek()
        queue.pop()
    told = queue.count_ahead(priority)
    queue.push(newcomer, priority)
    for _ in range(told):
        assert queue.peek() is not newcomer
        queue.pop()
    assert queue.peek() is newcomer


def test_those_who_left_are_not_kept():
    queue, crowd = PriorityQueue(), [Somebody() for _ in range(1000)]
    for one in crowd:
        queue.push(one, "interactive")
    for one in crowd[1:]:
        queue.discard(one, "interactive")
    assert len(queue._interactive.entries) < 100
    queue.discard(crowd[0], "interactive")
    assert not queue._interactive.entries
