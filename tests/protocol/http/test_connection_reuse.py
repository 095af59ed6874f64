"""How long pooled connections to a host are not reused after one was lost."""

from hypothesis import given
from hypothesis import strategies as st

from gradient_async._protocol.http.connection_reuse import ConnectionReuse


def test_a_loss_stops_the_reuse_for_a_minute_and_for_that_host_only() -> None:
    reuse = ConnectionReuse()
    reuse.record_loss("a", 0.0)
    assert [reuse.may_reuse("a", at) for at in (0.0, 59.9, 60.0)] == [False, False, True]
    assert reuse.may_reuse("b", 1.0)


def test_each_further_loss_doubles_the_pause_up_to_an_hour() -> None:
    reuse, now = ConnectionReuse(), 0.0
    for seconds in (60, 120, 240, 480, 960, 1920, 3600, 3600):
        reuse.record_loss("a", now)
        assert not reuse.may_reuse("a", now + seconds - 0.1)
        assert reuse.may_reuse("a", now + seconds)
        now += seconds


def test_losses_of_many_connections_at_once_count_as_one() -> None:
    reuse = ConnectionReuse()
    for _ in range(100):
        reuse.record_loss("a", 1.0)
    assert reuse.may_reuse("a", 61.0)


@given(st.lists(st.floats(0, 1e6), max_size=30))
def test_a_pause_always_ends_within_an_hour_of_the_last_loss(losses: list[float]) -> None:
    reuse = ConnectionReuse()
    for at in sorted(losses):
        reuse.record_loss("a", at)
    assert reuse.may_reuse("a", max(losses, default=0.0) + 3600.0)
