"""What every test needs: no key of the machine's own may reach a test."""

import asyncio
import os

import pytest
from hypothesis import settings

settings.register_profile("suite", deadline=None, max_examples=100)
settings.load_profile("suite")


def pytest_runtest_setup() -> None:
    """Say that no loop is wanted: looptime asks for the current one, which would make one that nobody closes."""
    asyncio.set_event_loop(None)


@pytest.fixture(autouse=True)
def _no_keys_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if "GRADIENT" in name or "DIGITALOCEAN" in name or name.startswith(("AGENT_", "MODEL_ACCESS")):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _no_stray_loop() -> None:
    """Say that no loop is wanted: looptime asks for the current one, which would make one that nobody closes."""
    asyncio.set_event_loop(None)
