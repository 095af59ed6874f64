"""One schedule: calls through a proxy that breaks connections, and what has to hold after them.

Contract: everything that a schedule does follows from its seed; how the calls interleave does not.

Each call must end in time, with its whole result or with one error of the client that holds neither key nor prompt.
Nothing may stay open: no connection, no response, no permit. The limiter counts at least the requests that arrived.
A request that the client calls not sent has not arrived; none arrives twice where nothing is replayed, and a batch
makes at most one job.
"""

from __future__ import annotations

import asyncio
import pickle
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from random import Random
from typing import Literal

import aiohttp
import attrs

from gradient_async import (
    AsyncSession,
    GradientError,
    RateLimiter,
    RateLimits,
    ResponseDecodeError,
    RetryPolicy,
    Timeouts,
)
from gradient_async.gateway.server import Gateway
from gradient_async.testing import Emulator
from tests.adversity.calls import CALLS, ROWS, answer_prompt, build_answer, find_numbers
from tests.adversity.faults import draw_plan
from tests.adversity.proxy import FaultyProxy
from tests.support.pools import count_acquired
from tests.support.waiting import HANG_SECONDS, wait_until

KEY = "sk-of-the-adversity-suite"
PROMPT = "Tell me"
FIRST_NUMBER = 100_000_000
NUMBERS_PER_SCHEDULE = 100
Route = Literal["direct", "behind the gateway", "before the gateway"]
"""Where the proxy stands: before the service, between gateway and service, or between client and gateway."""


@attrs.frozen
class Schedule:
    """What happens in one run.

    Attributes:
        seed: The seed that it was drawn from.
        first_number: The number of the first call; each takes `ROWS` numbers.
        route: Where the proxy stands.
        odds: The probability that a connection is broken.
        brings_pool: Whether the connections are those of an aiohttp session of the caller.
        calls: The kinds of the calls, for each task that makes its calls one after the other.
    """

    seed: str
    first_number: int
    route: Route
    odds: float
    brings_pool: bool
    retry: RetryPolicy
    timeouts: Timeouts
    calls: tuple[tuple[str, ...], ...]


def draw_schedule(seed: int, index: int) -> Schedule:
    """Return the schedule number *index* of those with this *seed*."""
    name = f"{seed}/{index}"
    random = Random(name)
    total = random.choice((1.0, 1.5, 2.0))
    return Schedule(
        seed=name,
        first_number=FIRST_NUMBER + index * NUMBERS_PER_SCHEDULE,
        route=random.choice(("direct", "direct", "behind the gateway", "before the gateway")),
        odds=random.choice((0.2, 0.5, 0.8)),
        brings_pool=random.random() < 0.2,
        retry=RetryPolicy(
            attempts=random.randint(1, 4),
            first=0.005,
            longest=0.02,
            replay=random.choice(("safe", "safe", "answered", "always")),
        ),
        timeouts=Timeouts(connect=0.5, idle=random.choice((0.3, 0.6)), total=total),
        calls=tuple(tuple(random.choices(list(CALLS), k=random.randint(2, 5))) for _ in range(random.randint(1, 3))),
    )


@attrs.define
class Figures:
    """What was seen in all schedules.

    Attributes:
        calls: The number of calls.
        complete: The number of those with their whole result.
        errors: The number of errors by class.
        struck: The number of faults that came about, by name.
        arrived: The number of requests that reached the service.
        longest: The duration of the longest call, in seconds.
        cuts: The number of journals and checkpoints that were cut off, each at another byte.
        violations: What did not hold.
        left_open: The number of connections, responses, permits and tasks that were left.
    """

    schedules: int = 0
    calls: int = 0
    complete: int = 0
    errors: Counter[str] = attrs.field(factory=Counter)
    struck: Counter[str] = attrs.field(factory=Counter)
    arrived: int = 0
    longest: float = 0.0
    cuts: int = 0
    violations: list[str] = attrs.field(factory=list)
    left_open: int = 0


@attrs.define
class _Bench:
    """The parts of one run.

    Attributes:
        session: The session that makes the calls.
        limited: The session that keeps the limits: the same, or the gateway's.
        pool: The aiohttp session that *session* uses, None for its own.
    """

    emulator: Emulator
    proxies: tuple[FaultyProxy, ...]
    session: AsyncSession
    limited: AsyncSession
    pool: aiohttp.ClientSession | None

    def count_open(self) -> int:
        """Return the number of connections in use, of responses and of calls in all sessions."""
        connector = None if self.pool is None else self.pool.connector
        transports = {session._transport: count_acquired(session) for session in (self.session, self.limited)}
        left = (count + len(each._open_exchanges) + len(each._active_calls) for each, count in transports.items())
        return sum(left) + (0 if connector is None else len(connector._acquired))

    async def aclose(self) -> None:
        """Close all sessions."""
        await self.session.aclose()
        await self.limited.aclose()
        if self.pool is not None:
            await self.pool.close()


@asynccontextmanager
async def open_bench(schedule: Schedule) -> AsyncIterator[_Bench]:
    """Start emulator, proxies, session and, if the schedule has one, the gateway."""
    random = Random(f"{schedule.seed} connections")
    new_proxy = partial(FaultyProxy, next_plan=lambda: draw_plan(random, schedule.odds))
    new_session = partial(AsyncSession, KEY, retry=schedule.retry, timeouts=schedule.timeouts)
    limiter = RateLimiter(RateLimits(windows=[(10_000, 3600.0)]))
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        emulator = await enter(Emulator(batch_seconds=0.01, limits=[(10_000, 3600.0)]))
        emulator.on_request(answer_prompt)
        storage, proxy = await enter(new_proxy(emulator.storage.url)), await enter(new_proxy(emulator.url))
        emulator.storage.address = lambda: storage.url
        pool = await enter(aiohttp.ClientSession()) if schedule.brings_pool else None
        if schedule.route == "direct":
            session = await enter(new_session(base_url=proxy.url, limits=limiter, client_session=pool))
            yield _Bench(emulator, (proxy, storage), session, session, pool)
            return
        is_behind = schedule.route == "behind the gateway"
        inner = await enter(new_session(base_url=proxy.url if is_behind else emulator.url, limits=limiter))
        address = await (await enter(Gateway(inner))).listen("127.0.0.1", 0)
        proxy.upstream = emulator.url if is_behind else address
        front = address if is_behind else proxy.url
        session = await enter(new_session(base_url=front, limits=None, client_session=pool))
        yield _Bench(emulator, (proxy, storage), session, inner, pool)


@attrs.define
class Run:
    """Runs one schedule and adds what it sees to the figures."""

    schedule: Schedule
    figures: Figures
    _errors: dict[int, GradientError] = attrs.field(factory=dict, init=False)

    async def run(self) -> None:
        """Make all calls, then check what is left."""
        async with open_bench(self.schedule) as bench:
            numbers = iter(range(self.schedule.first_number, self.schedule.first_number + NUMBERS_PER_SCHEDULE, ROWS))
            await asyncio.gather(*(self._make_calls(bench.session, kinds, numbers) for kinds in self.schedule.calls))
            await self._check_open(bench)
            self._check_arrivals(bench)
        for proxy in bench.proxies:
            self.figures.struck.update(proxy.struck)
        self.figures.schedules += 1

    def _report(self, violation: str) -> None:
        self.figures.violations.append(f"schedule {self.schedule.seed}: {violation}")

    async def _make_calls(self, session: AsyncSession, kinds: tuple[str, ...], numbers: Iterator[int]) -> None:
        for kind in kinds:
            await self._make_call(session, kind, next(numbers))

    async def _make_call(self, session: AsyncSession, kind: str, number: int) -> None:
        loop, call, figures = asyncio.get_running_loop(), CALLS[kind], self.figures
        started_at, errors = loop.time(), dict[int, GradientError]()
        try:
            async with asyncio.timeout(call.steps * (self.schedule.timeouts.total or 0.0) + HANG_SECONDS):
                errors = await call.run(session, number) or {}
        except GradientError as error:
            errors = {number: error}
        except Exception as error:  # noqa: BLE001 - none but those of the client is right
            self._report(f"{kind}: {type(error).__name__}: {error}")
        figures.longest = max(figures.longest, loop.time() - started_at)
        figures.calls += 1
        figures.complete += not errors
        self._errors |= errors
        for failed, caught in errors.items():
            figures.errors[type(caught).__name__] += 1
            if fault := find_fault(caught, failed):
                self._report(f"{kind}: {fault}")

    async def _check_open(self, bench: _Bench) -> None:
        await self._wait_for_zero("connections, responses and calls", bench.count_open)
        limits = bench.limited.limits
        assert limits is not None
        await self._wait_for_zero("permits", lambda: limits.status().held + limits.status().queued)
        await bench.aclose()
        await self._wait_for_zero("connections of a proxy", lambda: sum(proxy.open_count for proxy in bench.proxies))
        await self._wait_for_zero("requests of the emulator", lambda: bench.emulator.active)

    async def _wait_for_zero(self, name: str, count: Callable[[], int]) -> None:
        try:
            await wait_until(lambda: not count())
        except TimeoutError:
            self.figures.left_open += count()
            self._report(f"{count()} {name} left open")

    def _check_arrivals(self, bench: _Bench) -> None:
        arrived, limits = bench.emulator.requests, bench.limited.limits
        assert limits is not None
        self.figures.arrived += len(arrived)
        window = limits.status().windows[0]
        if window.used - window.foreign < len(arrived):
            self._report(f"the limiter counts {window.used - window.foreign} of {len(arrived)} requests")
        self._check_copies(bench)

    def _check_copies(self, bench: _Bench) -> None:
        """Check how often each request arrived."""
        retry = self.schedule.retry
        bodies = [request.body for request in bench.emulator.requests if not request.path.startswith("/v1/batches")]
        counts = Counter(number for body in bodies for number in find_numbers(body))
        for number, error in self._errors.items():
            if counts[number] and not error.maybe_sent:
                self._report(f"{error!r} says that the request was not sent, but it arrived")
        if retry.replay == "safe" or retry.attempts == 1:
            twice = [number for number, count in counts.items() if count > 1]
            if twice:
                self._report(f"requests {twice} arrived more than once with {retry}")
        jobs = Counter(bench.emulator.batches.files[job.request["file_id"]] for job in bench.emulator.batches.jobs)
        if any(count > 1 for count in jobs.values()):
            self._report(f"a batch has more than one job: {jobs}")


def find_fault(error: GradientError, number: int) -> str | None:
    """Return what is wrong with the *error* of the call with this *number*, None for nothing."""
    shown = pickle.dumps(error) + f"{error} {error!r}".encode()
    if KEY.encode() in shown or PROMPT.encode() in shown:
        return f"{type(error).__name__} shows the key or the prompt"
    held = error.__cause__ or error.__context__
    if held is not None and not isinstance(held, GradientError):
        return f"{type(error).__name__} holds {held!r}"
    if isinstance(error, ResponseDecodeError):
        return f"the service sends nothing that does not decode: {error!r}"  # so that it is another's response
    text = getattr(getattr(error, "snapshot", None), "text", "")
    if not build_answer(number).startswith(text):
        return f"the partial result of {type(error).__name__} is another's: {text[:200]!r}"
    return None
