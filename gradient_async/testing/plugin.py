"""The pytest plugin: the fixtures `gradient_emulator` and `gradient_session`.

Contract: pytest imports this module at every start, so the emulator and the client are imported inside the fixtures.
The fixtures work with pytest-asyncio in both of its modes, and with anyio; each test has its own emulator.
Source: none; the rules of pytest-asyncio and anyio for asynchronous fixtures. Each plugin runs only its own fixtures,
and those of pytest-asyncio are bound to the loop of one scope. So each fixture exists once for anyio and once for each
loop scope, and the public fixtures select the one that fits the test.
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
    emulator: Emulator = request.getfixturevalue(f"_gradient_emulator_{_fixture_kind(request)}")
    return emulator


@pytest.fixture
def gradient_session(request: pytest.FixtureRequest) -> AsyncSession:
    """An open `AsyncSession` for `gradient_emulator`, with its URLs and with test keys."""
    session: AsyncSession = request.getfixturevalue(f"_gradient_session_{_fixture_kind(request)}")
    return session


@pytest.fixture
async def _gradient_emulator_anyio() -> AsyncIterator[Emulator]:
    async with _run_emulator() as emulator:
        yield emulator


@pytest.fixture
async def _gradient_session_anyio(gradient_emulator: Emulator) -> AsyncIterator[AsyncSession]:
    async with _open_session(gradient_emulator) as session:
        yield session


def _build_asyncio_fixtures(loop: str) -> Iterator[tuple[str, object]]:
    """Yield the names and fixtures for the tests that pytest-asyncio runs in a loop of the scope *loop*."""
    options = {"loop_scope": loop} if _TAKES_LOOPS else {}

    async def run_emulator() -> AsyncIterator[Emulator]:
        async with _run_emulator() as emulator:
            yield emulator

    async def open_session(gradient_emulator: Emulator) -> AsyncIterator[AsyncSession]:
        async with _open_session(gradient_emulator) as session:
            yield session

    for name, function in ((f"_gradient_emulator_{loop}", run_emulator), (f"_gradient_session_{loop}", open_session)):
        yield name, asyncio_fixture(name=name, **options)(function)


for _loop in _LOOPS:
    globals().update(_build_asyncio_fixtures(_loop))


def _fixture_kind(request: pytest.FixtureRequest) -> str:
    if "anyio_backend" in request.fixturenames:
        return "anyio"
    loop = _loop_scope(request)
    return loop if loop in _LOOPS else "function"


def _loop_scope(request: pytest.FixtureRequest) -> str:
    """Return the scope of the test's loop; an emulator in another loop would never respond."""
    marker = request.node.get_closest_marker("asyncio")
    options = marker.kwargs if marker else {}
    try:
        default = request.config.getini("asyncio_default_test_loop_scope")
    except ValueError:  # no such setting before pytest-asyncio 0.26
        default = "function"
    return str(options.get("loop_scope") or options.get("scope") or default)


@asynccontextmanager
async def _run_emulator() -> AsyncIterator[Emulator]:
    from gradient_async.testing import Emulator  # aiohttp.web is only loaded by tests that use it

    async with Emulator() as emulator:
        yield emulator


@asynccontextmanager
async def _open_session(emulator: Emulator) -> AsyncIterator[AsyncSession]:
    from gradient_async import AsyncSession  # as above

    async with AsyncSession(
        api_key="test",
        base_url=emulator.url,
        agent_endpoint=emulator.agent_url,
        agent_access_key="test-agent",
    ) as session:
        yield session
