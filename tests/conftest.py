"""Setup of every test: no key from the environment, no event loop from another test."""

import asyncio
import os

import pytest
from hypothesis import settings

settings.register_profile("suite", deadline=None, max_examples=100)
settings.load_profile("suite")


def pytest_runtest_setup() -> None:
    """Unset the current loop: otherwise looptime's request for it creates a loop that is never closed."""
    asyncio.set_event_loop(None)


@pytest.fixture(autouse=True)
def _delete_keys_from_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if "GRADIENT" in name or "DIGITALOCEAN" in name or name.startswith(("AGENT_", "MODEL_ACCESS")):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _unset_current_loop() -> None:
    """Unset the current loop again, in case another plugin's setup has set one."""
    asyncio.set_event_loop(None)
