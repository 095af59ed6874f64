"""The pytest plugin: `gradient_emulator`, and `gradient_session` that talks to it.

Contract: pytest imports this module at every start, so everything else is imported inside the fixtures. They
work with pytest-asyncio in both of its modes and with anyio; each test has its own emulator.
Source: none; the two plugins' rules for asynchronous fixtures. Each takes only fixtures of its own kind, so
every fixture exists once for each of them, and the public ones choose.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

try:
    from pytest_asyncio import fixture as asyncio_fixture
except ImportError:
    asyncio_fixture = pytest.fixture  # type: ignore[assignment]  # both are used as bare decorators only

if TYPE_CHECKING:
    from gradient_async import AsyncSession
    from gradient_async.testing import Emulator


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


@asyncio_fixture
async def _gradient_emulator_asyncio() -> AsyncIterator[Emulator]:
    async with _emulator() as emulator:
        yield emulator


@pytest.fixture
async def _gradient_emulator_anyio() -> AsyncIterator[Emulator]:
    async with _emulator() as emulator:
        yield emulator


@asyncio_fixture
async def _gradient_session_asyncio(gradient_emulator: Emulator) -> AsyncIterator[AsyncSession]:
    async with _session(gradient_emulator) as session:
        yield session


@pytest.fixture
async def _gradient_session_anyio(gradient_emulator: Emulator) -> AsyncIterator[AsyncSession]:
    async with _session(gradient_emulator) as session:
        yield session


def _kind(request: pytest.FixtureRequest) -> str:
    return "anyio" if "anyio_backend" in request.fixturenames else "asyncio"


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
