"""Who is next among results that arrive in any order."""

from hypothesis import given
from hypothesis import strategies as st

from gradient_async._io.concurrent_map import ReorderBuffer

ARRIVALS = st.integers(0, 12).flatmap(lambda size: st.permutations(range(size)))


def taken(turns: ReorderBuffer[int]) -> list[int]:
    found = []
    while (result := turns.pop_result()) is not None:
        found.append(result)
    return found


@given(ARRIVALS)
def test_in_order_each_comes_as_soon_as_all_before_it_are_there(arrivals: list[int]) -> None:
    turns: ReorderBuffer[int] = ReorderBuffer(ordered=True)
    found: list[int] = []
    for position, number in enumerate(arrivals):
        turns.put_result(number, number)
        found += taken(turns)
        there = set(arrivals[: position + 1])
        assert found == list(range(next((n for n in range(len(arrivals)) if n not in there), len(arrivals))))


@given(ARRIVALS)
def test_without_order_they_come_as_they_arrive(arrivals: list[int]) -> None:
    turns: ReorderBuffer[int] = ReorderBuffer(ordered=False)
    for number in arrivals:
        turns.put_result(number, number)
    assert taken(turns) == list(arrivals)
