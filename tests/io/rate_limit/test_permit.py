"""Permits: sent, held, refunded."""

import asyncio

import pytest

from tests.support.permits import PermitLog, make_limiter

pytestmark = pytest.mark.looptime(noop_cycles=0)  # without I/O there is nothing to wait for between two timers


async def test_a_refund_grants_the_next_permit_at_once_and_counts_once() -> None:
    limiter = make_limiter((1, 60.0))
    permit = await limiter.acquire()
    log = PermitLog(limiter)
    waiting = [log.start(n) for n in range(2)]
    await asyncio.sleep(5)
    permit.refund()
    permit.refund()
    await asyncio.gather(*waiting)
    assert log.entries == [(0, 5.0), (1, 65.0)]


@pytest.mark.parametrize(("end", "returned", "next_at"), [("sent", 1000.0, 1060.0), ("refund", None, 1000.0)])
async def test_a_held_permit_counts_from_its_sent_time_unless_it_is_refunded(
    end: str, returned: float | None, next_at: float
) -> None:
    limiter = make_limiter((1, 60.0))
    permit = await limiter.acquire(hold=True)
    log = PermitLog(limiter)
    waiting = log.start("next")
    await asyncio.sleep(1000)
    assert log.entries == []
    assert limiter.status().held == 1
    assert getattr(permit, end)() == returned
    await waiting
    assert log.entries == [("next", next_at)]


async def test_sent_restarts_a_permit_that_already_counts() -> None:
    limiter = make_limiter((1, 60.0))
    permit = await limiter.acquire()
    await asyncio.sleep(30)
    permit.sent()
    assert limiter.estimate() == pytest.approx(60.0)


async def test_a_refunded_permit_cannot_be_sent() -> None:
    permit = await make_limiter((1, 60.0)).acquire()
    permit.refund()
    with pytest.raises(RuntimeError, match="acquire another"):
        permit.sent()


async def test_a_held_permit_that_is_dropped_counts_as_sent() -> None:
    limiter = make_limiter((1, 60.0))
    await limiter.acquire(hold=True)
    assert limiter.status().held == 0
    assert limiter.estimate() == pytest.approx(60.0)


async def test_a_permit_has_its_waiting_time() -> None:
    limiter = make_limiter((1, 7.0))
    assert (await limiter.acquire()).waited == 0.0
    assert (await limiter.acquire()).waited == pytest.approx(7.0)


async def test_a_permit_prints_its_state_and_not_its_limiter() -> None:
    permit = await make_limiter((1, 7.0)).acquire(hold=True)
    state = "held=True, model=None, tokens=0, waited=0.0, refunded=False"
    assert repr(permit) == f"Permit(sent_at={permit.sent_at}, {state})"
