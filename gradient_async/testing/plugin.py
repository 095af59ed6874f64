"""The pytest plugin: `gradient_emulator`, and `gradient_session` that talks to it.

Contract: pytest imports this module at every start, so everything else is imported inside the fixtures. They
work with pytest-asyncio in both of its modes and with anyio; each test has its own emulator.
Source: none; the two plugins' rules for asynchronous fixtures. Each takes only fixtures of its own kind, and those of
pytest-asyncio keep to one loop, so every fixture exists once for each kind and loop, and the public ones choose.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

asyncio_fixture: Any
try:
    from pytest_asyncio import fixture as asyncio_fixture
except ImportError:
    asyncio_fixture = pytest.fixture

if TYPE_CHECKING:
    from gradient_async import AsyncSession
    from gradient_async.testing import Emulator

_TAKES_LOOPS = "loop_scope" in inspect.signature(asyncio_fixture).parameters  # since pytest-asyncio 0.24
_LOOPS = ("function", "class", "module", "package", "session") if _TAKES_LOOPS else ("function",)


@pytest.fixture
def gradient_emulator(request: pytest.FixtureRequest) -> Emulator:
    """A running `Emulator`; each test has its own."""
    emulator: Emulator = request.getfixturevalue(f"_gradient_emulator_{_kind(request)}")
    return emulator


@pytest.fixture
def gradient_session(request: pytest.FixtureRequest) -> AsyncSession:
    """An open `AsyncSession` with keys and addresses of `gradient_emulator`."""
    session: AsyncSession = request.getfixturevalue(f"_gradient_session_{_kind(request)}")
    return session


@pytest.fixture
async def _gradient_emulator_anyio() -> AsyncIterator[Emulator]:
    async with _emulator() as emulator:
        yield emulator


@pytest.fixture
async def _gradient_session_anyio(gradient_emulator: Emulator) -> AsyncIterator[AsyncSession]:
    async with _session(gradient_emulator) as session:
        yield session


def _asyncio_fixtures(loop: str) -> Iterator[tuple[str, object]]:
    """Yield the names and fixtures for the tests that pytest-asyncio runs in a *loop* of that scope."""
    options = {"loop_scope": loop} if _TAKES_LOOPS else {}

    async def emulator() -> AsyncIterator[Emulator]:
        async with _emulator() as emulator:
            yield emulator

    async def session(gradient_emulator: Emulator) -> AsyncIterator[AsyncSession]:
        async with _session(gradient_emulator) as session:
            yield session

    for name, function in ((f"_gradient_emulator_{loop}", emulator), (f"_gradient_session_{loop}", session)):
        yield name, asyncio_fixture(name=name, **options)(function)


for _loop in _LOOPS:
    globals().update(_asyncio_fixtures(_loop))


def _kind(request: pytest.FixtureRequest) -> str:
    if "anyio_backend" in request.fixturenames:
        return "anyio"
    loop = _loop_of(request)
    return loop if loop in _LOOPS else "function"


def _loop_of(request: pytest.FixtureRequest) -> str:
    """Return the scope of the loop that the test runs in; an emulator in another one would never answer it."""
    marker = request.node.get_closest_marker("asyncio")
    given = marker.kwargs if marker else {}
    try:
        default = request.config.getini("asyncio_default_test_loop_scope")
    except ValueError:  # no such setting before pytest-asyncio 0.26
        default = "function"
    return str(given.get("loop_scope") or given.get("scope") or default)


@asynccontextmanager
async def _emulator() -> AsyncIterator[Emulator]:
    from gradient_async.testing import Emulator  # aiohttp.web is only loaded by tests that use it

    async with Emulator() as emulator:
        yield emulator


@asynccontextmanager
async def _session(emulator: Emulator) -> AsyncIterator[AsyncSession]:
    from gradient_async import AsyncSession  # likewise

    async with AsyncSession(
        api_key="test",
        base_url=emulator.url,
        agent_endpoint=emulator.agent_url,
        agent_access_key="test-agent",
    ) as session:
        yield session
