import asyncio
import contextlib
import gc
import logging
import multiprocessing
import shutil
import socket
import statistics
import subprocess
import sys
import time
import warnings
from unittest import mock

import pytest

from gradient_async._protocol.rate_limit.rate_limits import RateLimits
from gradient_async.errors import APIConnectionError, APITimeoutError, ConfigurationError, SessionClosedError
from gradient_async.limits import RedisLimiter
from gradient_async.limits.redis.store import RedisUnavailable
from gradient_async.models.response_meta import RateLimitInfo
from tests.support.raw_server import serving

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")


class Server:
    """A redis-server of this test's own, on a free port of loopback; it keeps nothing on disk."""

    def __init__(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.process = None

    def start(self):
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.1):
                return
            time.sleep(0.02)
        raise RuntimeError("redis-server did not start")

    def stop(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def _server():
    server = Server()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def url(_server):
    """The address of a Redis that other tests use too; each takes a key of its own."""
    return _server.url


@pytest.fixture
def own_server():
    server = Server()
    server.start()
    yield server
    server.stop()


@contextlib.asynccontextmanager
async def limiter_of(url, *windows, key, guard=0.0, **options):
    limits = RateLimits(windows=windows)
    limiter = RedisLimiter(url, limits=limits, key=key, guard=guard, chance=lambda: 0.0, **options)
    try:
        yield limiter
    finally:
        await limiter.aclose()


async def test_two_limiters_share_one_budget(url, request):
    async with (
        limiter_of(url, (3, 0.5), (100, 60.0), key=request.node.name) as one,
        limiter_of(url, (3, 0.5), (100, 60.0), key=request.node.name) as two,
    ):
        began = time.monotonic()
        await asyncio.gather(*(limiter.acquire() for limiter in [one, two] * 3))
        assert time.monotonic() - began >= 0.5
        assert one.status().windows[1].used + two.status().windows[1].used > 6


async def test_another_key_is_another_budget(url, request):
    async with (
        limiter_of(url, (1, 60.0), key=request.node.name + "a") as one,
        limiter_of(url, (1, 60.0), key=request.node.name + "b") as two,
    ):
        await asyncio.wait_for(asyncio.gather(one.acquire(), two.acquire()), 1)


async def test_all_windows_or_none(url, request):
    async with limiter_of(url, (1, 0.2), (5, 60.0), key=request.node.name) as limiter:
        await limiter.acquire()
        for _ in range(10):
            with pytest.raises(APITimeoutError):
                await limiter.acquire(timeout=0.01)
        assert [window.used for window in limiter.status().windows] == [1, 1]


async def test_a_refund_is_for_everybody(url, request):
    async with (
        limiter_of(url, (1, 60.0), key=request.node.name) as one,
        limiter_of(url, (1, 60.0), key=request.node.name) as two,
    ):
        permit = await one.acquire()
        permit.refund()
        permit.refund()
        await asyncio.sleep(0.1)
        await asyncio.wait_for(two.acquire(), 1)


async def test_a_local_refund_wakes_the_next_one(url, request):
    async with limiter_of(url, (1, 60.0), key=request.node.name) as limiter:
        permit = await limiter.acquire()
        waiting = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(0.1)
        permit.refund()
        await asyncio.wait_for(waiting, 1)


async def test_a_held_permit_counts_from_when_it_was_sent(url, request):
    async with limiter_of(url, (1, 0.4), key=request.node.name) as limiter:
        permit = await limiter.acquire(hold=True)
        waiting = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(0.6)
        assert not waiting.done()
        permit.sent()
        began = time.monotonic()
        await asyncio.wait_for(waiting, 5)
        assert time.monotonic() - began > 0.3


async def test_a_held_permit_counts_until_it_was_sent_whoever_asked_with_it(url, request):
    async with limiter_of(url, (2, 0.3), key=request.node.name) as limiter:
        _, permit = await asyncio.gather(limiter.acquire(), limiter.acquire(hold=True))
        await asyncio.sleep(0.4)
        await limiter.acquire()
        with pytest.raises(APITimeoutError):
            await limiter.acquire(timeout=0.1)
        permit.sent()


async def test_a_wait_that_cannot_fit_is_refused_at_once(url, request):
    async with limiter_of(url, (1, 60.0), key=request.node.name) as limiter:
        await limiter.acquire()
        began = time.monotonic()
        with pytest.raises(APITimeoutError, match="at the earliest") as refusal:
            await limiter.acquire(timeout=20.0)
        assert time.monotonic() - began < 5
        assert (refusal.value.phase, refusal.value.maybe_sent) == ("limiter", False)


async def test_first_come_first_served_and_the_head_alone_asks(url, request):
    async with limiter_of(url, (10, 0.1), key=request.node.name) as limiter:
        order, asked = [], 0
        ask = limiter._store.request_permits

        async def counting(*args, **options):
            nonlocal asked
            asked += 1
            return await ask(*args, **options)

        limiter._store.request_permits = counting

        async def one(n):
            await limiter.acquire()
            order.append(n)

        await asyncio.gather(*(one(n) for n in range(60)))
        assert order == list(range(60))
        assert asked < 60


async def test_cancelled_waiters_take_nothing(url, request):
    async with limiter_of(url, (5, 60.0), key=request.node.name) as limiter:
        tasks = [asyncio.create_task(limiter.acquire()) for _ in range(5)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.1)
        for _ in range(5):
            await asyncio.wait_for(limiter.acquire(), 1)


async def test_a_refusal_pauses_every_process(url, request):
    async with (
        limiter_of(url, (100, 60.0), key=request.node.name) as one,
        limiter_of(url, (100, 60.0), key=request.node.name) as two,
    ):
        permit = await one.acquire()
        one.apply_response(RateLimitInfo(retry_after=0.6), status=429, sent_at=permit.sent_at)
        await asyncio.sleep(0.05)
        assert (await two.acquire()).waited > 0.4
        assert two.status().windows[0].foreign > 50


async def test_a_pause_holds_from_the_first_request_on(url, request):
    async with limiter_of(url, (100, 60.0), key=request.node.name) as limiter:
        limiter.pause(0.3)
        assert (await limiter.acquire()).waited >= 0.3


async def test_a_wait_that_ends_before_the_pause_is_refused_at_once(url, request):
    async with limiter_of(url, (100, 60.0), key=request.node.name) as limiter:
        limiter.pause(20.0)
        began = time.monotonic()
        with pytest.raises(APITimeoutError, match="at the earliest"):
            await limiter.acquire(timeout=10.0)
        assert time.monotonic() - began < 5


async def test_what_others_sent_is_counted_for_everybody(url, request):
    async with (
        limiter_of(url, (50, 1.0), (100, 60.0), key=request.node.name) as one,
        limiter_of(url, (50, 1.0), (100, 60.0), key=request.node.name) as two,
    ):
        permit = await one.acquire()
        one.apply_response(RateLimitInfo(limit=100, remaining=39), status=200, sent_at=permit.sent_at)
        await asyncio.sleep(0.1)
        await two.acquire()
        assert two.status().windows[1].foreign in (59, 60)


async def test_keys_expire_by_themselves(url, request):
    import redis

    async with limiter_of(url, (5, 0.5), key=request.node.name) as limiter:
        await limiter.acquire()
        limiter.pause(0.2)
        await asyncio.sleep(0.1)
    with redis.Redis.from_url(url) as client:
        keys = client.keys(f"*{request.node.name}*")
        assert len(keys) == 3
        assert all(0 < client.pttl(key) < 70_000 for key in keys)


async def test_scripts_are_loaded_again_when_redis_forgot_them(url, request):
    import redis

    async with limiter_of(url, (5, 60.0), key=request.node.name) as limiter:
        await limiter.acquire()
        with redis.Redis.from_url(url) as client:
            client.script_flush()
        await limiter.acquire()


async def test_a_connection_that_was_closed_is_no_outage(own_server, caplog):
    import redis

    async with limiter_of(own_server.url, (5, 60.0), key="k") as limiter:
        await limiter.acquire()
        with redis.Redis.from_url(own_server.url) as client:
            client.client_kill_filter(_type="normal", skipme=True)
        await limiter.acquire()
        assert limiter.status().windows[0].used == 2
    assert not caplog.records


def test_a_limiter_moves_to_the_next_event_loop(url, request):
    limiter = RedisLimiter(url, limits=RateLimits(windows=[(2, 60.0)]), key=request.node.name)

    async def once():
        await limiter.acquire()
        await limiter.aclose()

    asyncio.run(once())
    asyncio.run(once())
    assert limiter.status().windows[0].used == 2


async def test_closing_lets_everybody_go(url, request):
    async with limiter_of(url, (1, 60.0), key=request.node.name) as limiter:
        await limiter.acquire()
        waiting = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(0.1)
        await limiter.aclose()
        with pytest.raises(SessionClosedError):
            await waiting


async def test_closing_tells_of_the_last_pause(url, request):
    async with (
        limiter_of(url, (100, 60.0), key=request.node.name) as one,
        limiter_of(url, (100, 60.0), key=request.node.name) as two,
    ):
        permit = await one.acquire()
        one.apply_response(RateLimitInfo(retry_after=0.5), status=429, sent_at=permit.sent_at)
        await one.aclose()
        assert (await two.acquire()).waited > 0.4


async def test_closing_gives_back_what_was_granted_meanwhile(url, request):
    async with (
        limiter_of(url, (10, 60.0), key=request.node.name) as one,
        limiter_of(url, (10, 60.0), key=request.node.name) as two,
    ):
        granted, ask = asyncio.Event(), one._store.request_permits

        async def answering_slowly(*args, **options):
            answer = await ask(*args, **options)
            granted.set()
            await asyncio.sleep(0.05)
            return answer

        one._store.request_permits = answering_slowly
        waiting = [asyncio.create_task(one.acquire()) for _ in range(5)]
        await granted.wait()
        await one.aclose()
        await asyncio.gather(*waiting, return_exceptions=True)
        await two.acquire()
        assert two.status().windows[0].used == 1


# Redis away.

NOWHERE = "redis://:secret@127.0.0.1:1/0"


async def test_fail_closed_says_that_nothing_was_sent(caplog):
    async with limiter_of(NOWHERE, (5, 60.0), key="k", when_down="fail_closed") as limiter:
        for _ in range(3):
            with pytest.raises(APIConnectionError, match="fail_closed") as failure:
                await limiter.acquire()
        assert failure.value.maybe_sent is False
        assert "secret" not in str(failure.value) + repr(limiter) + caplog.text


async def test_closing_leaves_no_call_that_was_never_awaited():
    limiter = RedisLimiter(NOWHERE, key="k", when_down="fail_open")
    permit = await limiter.acquire()
    limiter.apply_response(RateLimitInfo(retry_after=1.0), status=429, sent_at=permit.sent_at)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        await limiter.aclose()
        gc.collect()


@pytest.mark.parametrize("reply", [b"+OK\r\n", b":3\r\n", b"$-1\r\n", b"*0\r\n", b"*3\r\n:1\r\n:0\r\n$1\r\na\r\n"])
async def test_an_answer_that_no_script_of_ours_gives_leaves_nobody_waiting(reply):
    async def pretend(reader, writer):
        while commands := await reader.read(65536):
            writer.write(reply if b"EVALSHA" in commands else b"+OK\r\n" * commands.count(b"*"))

    async with (
        serving(pretend) as host,
        limiter_of(f"redis://{host}/0?protocol=2", (5, 60.0), key="k", when_down="fail_closed") as limiter,
    ):
        with pytest.raises(APIConnectionError):
            await asyncio.wait_for(limiter.acquire(), 2)


async def test_fail_open_has_no_limit():
    async with limiter_of(NOWHERE, (1, 60.0), key="k", when_down="fail_open") as limiter:
        for _ in range(20):
            await asyncio.wait_for(limiter.acquire(), 1)


async def test_the_local_share_is_all_there_is_and_one_line_tells_it(caplog):
    async with limiter_of(NOWHERE, (8, 60.0), key="k", share=0.25) as limiter:
        with caplog.at_level(logging.INFO, "gradient_async"):
            await limiter.acquire()
            await limiter.acquire()
            with pytest.raises(APITimeoutError):
                await limiter.acquire(timeout=1.5)
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert "local_share" in caplog.text


async def test_a_restart_without_persistence_loses_no_count(own_server, caplog, request):
    async with limiter_of(own_server.url, (10, 60.0), key="k", share=0.5) as limiter:
        for _ in range(7):
            await limiter.acquire()
        own_server.stop()
        with pytest.raises(APITimeoutError):
            await limiter.acquire(timeout=0.3)  # 7 of ours are more than the share of 5
        own_server.start()
        for _ in range(3):
            await asyncio.wait_for(limiter.acquire(), 4)
        with pytest.raises(APITimeoutError):
            await limiter.acquire(timeout=0.5)
        assert limiter.status().windows[0].used == 10
    assert "answers again" in caplog.text


async def test_a_restart_that_nobody_noticed_is_found_by_the_generation(own_server):
    async with (
        limiter_of(own_server.url, (10, 60.0), key="k") as one,
        limiter_of(own_server.url, (10, 60.0), key="k") as two,
    ):
        for limiter in [one, two] * 4:
            await limiter.acquire()
        import redis

        with redis.Redis.from_url(own_server.url) as client:
            client.flushall()
        results = await asyncio.gather(
            *(limiter.acquire(timeout=2.0) for limiter in [one, two] * 4), return_exceptions=True
        )
        assert sum(not isinstance(result, Exception) for result in results) == 2


async def test_what_was_sent_during_an_outage_counts_afterwards(own_server):
    async with limiter_of(own_server.url, (10, 60.0), key="k", when_down="fail_open") as limiter:
        await limiter.acquire()
        own_server.stop()
        for _ in range(5):
            await asyncio.wait_for(limiter.acquire(), 2)
        own_server.start()
        await asyncio.sleep(1.2)
        await asyncio.wait_for(limiter.acquire(), 2)
        assert limiter.status().windows[0].used == 7


async def test_what_was_sent_before_the_first_answer_of_redis_counts_afterwards(own_server):
    own_server.stop()
    async with limiter_of(own_server.url, (10, 60.0), key="k", when_down="fail_open") as limiter:
        for _ in range(5):
            await asyncio.wait_for(limiter.acquire(), 2)
        own_server.start()
        await asyncio.sleep(1.0)
        await asyncio.wait_for(limiter.acquire(), 2)
        assert limiter.status().windows[0].used == 6


async def test_a_refund_that_redis_missed_is_told_again(url, request):
    async with (
        limiter_of(url, (1, 60.0), key=request.node.name) as one,
        limiter_of(url, (1, 60.0), key=request.node.name) as two,
    ):
        permit, settle = await one.acquire(hold=True), one._store.settle_permits
        one._store.settle_permits = mock.AsyncMock(side_effect=RedisUnavailable)
        permit.refund()
        await asyncio.sleep(0.1)
        one._store.settle_permits = settle
        await asyncio.sleep(1.2)
        await asyncio.wait_for(two.acquire(), 1)


# Set up.


def test_importing_the_package_does_not_import_redis():
    code = "import sys, gradient_async.limits; sys.exit('redis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_missing_extra_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(ConfigurationError, match=r"pip install gradient-async\[redis\]"):
        RedisLimiter("redis://localhost")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"when_down": "panic"}, "local_share, fail_open, fail_closed"),
        ({"share": 0.0}, "share is 0.0"),
        ({"share": 1.5}, "share is 1.5"),
        ({"limits": RateLimits(tokens_per_minute=5)}, "tokens_per_minute"),
    ],
)
def test_settings_that_cannot_work_are_refused(options, says):
    with pytest.raises(ConfigurationError, match=says):
        RedisLimiter("redis://localhost", **options)


def test_an_address_that_is_none_is_refused_without_showing_it():
    with pytest.raises(ConfigurationError, match="redis://host:port") as error:
        RedisLimiter("http://user:secret@host")
    assert "secret" not in str(error.value)


# Six processes.

PERIOD, CAPACITY, SECONDS = 1.0, 120, 5.0


def _work(url, key, together, queue):
    together.wait(60)  # whoever is still importing would be given nothing
    until = time.time() + SECONDS

    async def worker(limiter, times):
        while time.time() < until:
            with contextlib.suppress(APITimeoutError):
                await limiter.acquire(timeout=max(0.0, until - time.time()))
                times.append(time.time())
                await asyncio.sleep(0.1)  # its request: until then the others of this burst get theirs

    async def run():
        limits = RateLimits(windows=[(CAPACITY, PERIOD), (CAPACITY * 100, 100.0)])
        limiter, times = RedisLimiter(url, limits=limits, key=key, guard=0.02), []
        await asyncio.gather(*(worker(limiter, times) for _ in range(15)))
        await limiter.aclose()
        return times

    queue.put(asyncio.run(run()))


def test_six_processes_never_exceed_the_window_and_use_95_percent_of_it(url, request):
    import redis

    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    args = (url, request.node.name, context.Barrier(6), queue)
    workers = [context.Process(target=_work, args=args) for _ in range(6)]
    for worker in workers:
        worker.start()
    shares = [queue.get(timeout=90) for _ in workers]
    for worker in workers:
        worker.join()
    times = sorted(at for share in shares for at in share)
    with redis.Redis.from_url(url) as client:
        key = f"{{gradient-async:{request.node.name}}}:stamps"
        stamps = [score / 1e6 for _, score in client.zrange(key, 0, -1, withscores=True)]
    assert all(later - earlier >= PERIOD for earlier, later in zip(stamps, stamps[CAPACITY:], strict=False))
    assert len(stamps) >= len(times)
    full = [later - earlier for earlier, later in zip(stamps, stamps[CAPACITY:], strict=False)]
    assert statistics.median(full) <= PERIOD / 0.95
    assert min(map(len, shares)) > 0
