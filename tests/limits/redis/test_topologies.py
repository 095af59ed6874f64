"""A budget in a cluster, behind Sentinel, in Valkey, and in a client of the caller."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import redis
import redis.asyncio

from gradient_async.errors import ConfigurationError
from gradient_async.limits import RedisLimiter
from tests.support.redis_server import (
    RedisServer,
    open_limiter,
    run_cluster,
    run_redis_server,
    run_replicated_pair,
    run_sentinel,
    take_permits,
)
from tests.support.waiting import HANG_SECONDS

SERVED_SLOTS = 12_000


# Cluster.


@pytest.fixture(scope="module")
def cluster() -> Iterator[list[RedisServer]]:
    """Run a cluster in which nobody serves the last slots."""
    with run_cluster(slots=SERVED_SLOTS) as nodes:
        yield nodes


def find_key(cluster: list[RedisServer], *, first: int, end: int) -> str:
    """Return the name of a budget in a slot of that range."""
    names = (f"budget {number}" for number in range(1_000_000))
    return next(
        name
        for name in names
        if first <= int(cluster[0].execute("CLUSTER KEYSLOT", f"{{gradient-async:{name}}}")) < end
    )


def cluster_url(*nodes: RedisServer) -> str:
    """Return the address of the cluster that has *nodes*."""
    return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in nodes)


async def test_every_node_of_a_cluster_leads_to_the_same_budget(cluster: list[RedisServer]) -> None:
    key = find_key(cluster, first=0, end=SERVED_SLOTS)
    async with (
        open_limiter(cluster_url(cluster[0]), (5, 600.0), key=key, when_down="fail_closed") as one,
        open_limiter(cluster_url(*cluster[1:]), (5, 600.0), key=key, when_down="fail_closed") as two,
    ):
        assert [await take_permits(one, 3), await take_permits(two, 9), await take_permits(one, 9)] == [3, 2, 0]


async def test_a_cluster_that_serves_no_slot_of_the_key_is_refused(cluster: list[RedisServer]) -> None:
    key = find_key(cluster, first=SERVED_SLOTS, end=16384)
    async with open_limiter(cluster_url(cluster[0]), (5, 60.0), key=key) as limiter:
        with pytest.raises(ConfigurationError, match="no node of the cluster serves the slot"):
            await asyncio.wait_for(limiter.acquire(), HANG_SECONDS)


async def test_a_node_of_a_cluster_without_the_slot_is_refused(cluster: list[RedisServer]) -> None:
    key = find_key(cluster, first=SERVED_SLOTS // 3, end=SERVED_SLOTS)
    async with open_limiter(cluster[0].url, (5, 60.0), key=key) as limiter:
        with pytest.raises(ConfigurationError, match=r"another node has the key.*redis\+cluster://"):
            await asyncio.wait_for(limiter.acquire(), HANG_SECONDS)


# Sentinel.


async def test_a_budget_moves_with_the_primary_that_sentinel_names(caplog: pytest.LogCaptureFixture) -> None:
    with run_replicated_pair() as (primary, _), run_sentinel(primary) as sentinel:
        url = f"redis+sentinel://127.0.0.1:1,127.0.0.1:{sentinel.port}/budget/0"
        async with open_limiter(url, (10, 600.0), key="k", share=0.1) as limiter:
            assert await take_permits(limiter, 4) == 4
            primary.stop()
            assert await take_permits(limiter, 20) == 6
            assert limiter.status().windows[0].used == 10
    assert "answers again" in caplog.text


# Valkey.


async def test_valkey_keeps_a_budget() -> None:
    with run_redis_server(program="valkey-server") as server:
        async with (
            open_limiter(server.url, (5, 600.0), key="k", when_down="fail_closed") as one,
            open_limiter(server.url, (5, 600.0), key="k", when_down="fail_closed") as two,
        ):
            assert [await take_permits(one, 3), await take_permits(two, 9)] == [3, 2]
            server.execute("FLUSHALL")
            assert [await take_permits(one, 9), await take_permits(two, 9)] == [0, 0]


# A client of the caller.


@pytest.mark.parametrize("options", [{}, {"decode_responses": True}, {"protocol": 3}, {"max_connections": 1}])
async def test_a_client_of_the_caller_is_used_and_not_closed(url: str, key: str, options: dict[str, Any]) -> None:
    async with redis.asyncio.Redis.from_url(url, **options) as client:
        async with open_limiter(None, (5, 600.0), key=key, client=client, when_down="fail_closed") as limiter:
            limiter.pause(0.01)
            assert await take_permits(limiter, 9) == 5
        assert await client.ping()


async def test_retries_of_a_clients_own_grant_nothing_twice(url: str, key: str) -> None:
    """By default, a client of redis-py runs a script again, up to ten times, if its reply is late."""
    async with (
        redis.asyncio.Redis.from_url(url, socket_timeout=0.05) as client,
        redis.asyncio.Redis.from_url(url) as other,
        open_limiter(None, (5, 600.0), key=key, client=client, timeout=5.0) as limiter,
    ):
        assert await take_permits(limiter, 1) == 1
        await other.client_pause(400)
        assert await take_permits(limiter, 9) == 4
        assert limiter.status().windows[0].used == 5


async def test_a_cluster_client_of_the_caller_is_used(cluster: list[RedisServer]) -> None:
    key = find_key(cluster, first=0, end=SERVED_SLOTS)
    async with (
        redis.asyncio.RedisCluster("127.0.0.1", cluster[0].port, require_full_coverage=False) as client,
        open_limiter(None, (50, 600.0), key=key, client=client, when_down="fail_closed") as limiter,
    ):
        await asyncio.wait_for(limiter.acquire(), HANG_SECONDS)
        assert limiter.status().windows[0].used > 0


@pytest.mark.parametrize("client", [redis.Redis(), object(), "redis://localhost", redis.asyncio.Redis])
def test_what_is_not_an_asyncio_client_is_refused(client: object) -> None:
    with pytest.raises(ConfigurationError, match=r"redis\.asyncio"):
        RedisLimiter(client=client)


@pytest.mark.parametrize("url", [None, "redis://localhost"])
async def test_an_address_or_a_client_is_given_not_both(url: str | None) -> None:
    client = None if url is None else redis.asyncio.Redis()
    with pytest.raises(ConfigurationError, match="either the url"):
        RedisLimiter(url, client=client)
