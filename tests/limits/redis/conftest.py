"""Servers and keys for the tests of the shared limiter."""

from collections.abc import Iterator

import pytest

from tests.support.redis_server import RedisServer, run_redis_server


@pytest.fixture(scope="module")
def shared_server() -> Iterator[RedisServer]:
    """Run a server for all tests of a module."""
    with run_redis_server() as server:
        yield server


@pytest.fixture
def url(shared_server: RedisServer) -> str:
    """Return the address of a server that other tests use too; each test has a key of its own."""
    return shared_server.url


@pytest.fixture
def key(request: pytest.FixtureRequest) -> str:
    """Return a key that no other test uses."""
    return str(request.node.name)


@pytest.fixture
def own_server() -> Iterator[RedisServer]:
    """Run a server for one test, which may stop it."""
    with run_redis_server() as server:
        yield server
