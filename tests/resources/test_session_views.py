"""Views of a session: the same connections and budget, other settings."""

from typing import Any

import pytest

from gradient_async import (
    APITimeoutError,
    AsyncSession,
    AttemptDetails,
    ConfigurationError,
    InternalServerError,
    RateLimiter,
    RateLimits,
    RetryPolicy,
    SessionClosedError,
    Timeouts,
)
from gradient_async.testing import Emulator

pytestmark = pytest.mark.usefixtures("steady_clock")

HI: Any = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


async def test_a_view_shares_connections_and_budget(gradient_emulator: Emulator) -> None:
    async with AsyncSession("test", base_url=gradient_emulator.url) as session:
        view = session.with_options(timeouts=Timeouts(total=5.0))
        nested = view.with_options(priority="bulk")
        for each in (session, view, nested):
            await each.chat.completions.create(**HI)
            await each.agent(gradient_emulator.agent_url, "agent").chat.completions.create(messages=HI["messages"])
        assert session.limits is view.limits is nested.limits
        assert session.limits is not None
        assert session.limits.status().windows[0].used == 3
    assert gradient_emulator.connections == 2  # one to each host


async def test_each_view_has_its_own_settings(gradient_emulator: Emulator) -> None:
    async with AsyncSession("test", base_url=gradient_emulator.url, headers={"X-Team": "blue", "X-A": "1"}) as session:
        quick = session.with_options(
            timeouts=Timeouts(first_byte=0.05), retry=RetryPolicy(attempts=1), headers={"x-team": "red"}
        )
        gradient_emulator.stall(seconds=5)
        with pytest.raises(APITimeoutError) as caught:
            await quick.chat.completions.create(**HI)
        assert (caught.value.phase, caught.value.attempts) == ("first_byte", 1)
        await session.chat.completions.create(**HI)
        await quick.with_options(headers={"X-B": "2"}).models.list()
        await quick.agent(gradient_emulator.agent_url, "agent").chat.completions.create(messages=HI["messages"])
    seen = [
        {n: v for n, v in each.headers.items() if n.lower() in ("x-team", "x-a", "x-b")}
        for each in gradient_emulator.requests
    ]
    assert seen == [
        {"x-team": "red", "X-A": "1"},
        {"X-Team": "blue", "X-A": "1"},
        {"x-team": "red", "X-A": "1", "X-B": "2"},
        {"x-team": "red", "X-A": "1"},
    ]


async def test_hooks_of_a_view_come_beside_those_of_the_session(gradient_emulator: Emulator) -> None:
    of_session: list[AttemptDetails] = []
    of_view: list[AttemptDetails] = []
    async with AsyncSession("test", base_url=gradient_emulator.url, hooks=[of_session.append]) as session:
        await session.with_options(hooks=[of_view.append]).models.list()
        await session.models.list()
    assert (len(of_session), len(of_view)) == (2, 1)


async def test_a_bulk_view_waits_behind_the_session(gradient_emulator: Emulator) -> None:
    class Recorder(RateLimiter):
        priorities: list[str] = []

        def acquire(self, priority: Any = "interactive", **options: Any) -> Any:
            self.priorities.append(priority)
            return super().acquire(priority, **options)

    async with AsyncSession("test", base_url=gradient_emulator.url, limits=Recorder(RateLimits())) as session:
        bulk = session.with_options(priority="bulk")
        await session.models.list()
        await bulk.models.list()
        await bulk.with_options(priority="interactive").models.list()
        async with session.with_options(priority="interactive").chat.completions.map([HI]) as results:
            assert [item.error async for item in results] == [None]
    assert Recorder.priorities == ["interactive", "bulk", "interactive", "bulk"]


async def test_views_share_the_budget_of_retries(gradient_emulator: Emulator) -> None:
    policy = RetryPolicy(attempts=4, first=0, budget=3, replay="answered")
    gradient_emulator.fail(500, times=20)
    async with AsyncSession("test", base_url=gradient_emulator.url, retry=policy) as session:
        for each in (session, session.with_options(headers={"X-A": "1"}), session.with_options(retry=policy)):
            with pytest.raises(InternalServerError):
                await each.chat.completions.create(**HI)
    assert len(gradient_emulator.requests) == 4 + 1 + 1


async def test_a_view_closes_nothing_and_ends_with_its_session(gradient_emulator: Emulator) -> None:
    session = AsyncSession("test", base_url=gradient_emulator.url)
    async with session.with_options() as view:
        await view.models.list()
    await view.aclose()
    await view.models.list()
    await session.models.list()
    assert gradient_emulator.connections == 1
    assert "view" in repr(view)
    await session.aclose()
    assert "closed" in repr(view)
    with pytest.raises(SessionClosedError):
        await view.models.list()


async def test_batches_and_maps_of_a_view_use_its_settings(gradient_emulator: Emulator) -> None:
    async with AsyncSession("test", base_url=gradient_emulator.url) as session:
        view = session.with_options(headers={"X-Team": "blue"})
        await view.batches.submit([{"custom_id": "1", "body": HI}])
        async with view.chat.completions.map([HI]) as results:
            assert [item.error async for item in results] == [None]
    assert {each.headers.get("X-Team") for each in gradient_emulator.requests} == {"blue"}


@pytest.mark.parametrize(
    "options",
    [{"timeouts": 5.0}, {"retry": 3}, {"priority": "high"}, {"headers": {"Host": "x"}}, {"hooks": [1]}],
    ids=lambda options: next(iter(options)),
)
def test_a_setting_that_cannot_hold_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        AsyncSession("test").with_options(**options)


def test_a_view_of_a_subclass_is_one_of_it() -> None:
    class Own(AsyncSession):
        """A session of somebody's own."""

        def __init__(self, team: str) -> None:
            super().__init__("test")
            self.team = team

    own = Own("blue")
    assert own.chat is own.chat
    view = own.with_options(timeouts=Timeouts(total=5.0))
    assert (type(view), view.team) == (Own, "blue")
    assert view.chat is not own.chat
