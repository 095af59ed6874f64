"""Setup of every test: no key from the environment, no event loop from another test."""

import asyncio
import os

import pytest
from hypothesis import HealthCheck, settings

from tests.support.event_loops import LOOPS, use_event_loop
from tests.support.file_order import sort_files
from tests.support.steady_clock import use_steady_clock

settings.register_profile("suite", deadline=None, max_examples=50)
settings.register_profile(
    "fuzz",
    settings.get_profile("suite"),
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "2000")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for the kind of event loop."""
    parser.addoption("--event-loop", choices=[*LOOPS], default="asyncio", help="the kind of every event loop")


def pytest_configure(config: pytest.Config) -> None:
    """Make every loop of the run of the kind that the command line names."""
    use_event_loop(config.getoption("--event-loop"))
    config.option.loadscopereorder = False  # the files have the order below already


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort the files where workers share them."""
    if hasattr(config, "workerinput"):
        sort_files(items)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name long bytes by their argument: compressed ones hold the time, so two workers would disagree about a test."""
    return argname if isinstance(val, bytes) and len(val) > 60 else None


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Unset the current loop: otherwise looptime's request for it creates a loop that is never closed."""
    asyncio.set_event_loop(None)
    virtual = item.get_closest_marker("looptime")
    if item.config.getoption("--event-loop") == "uvloop" and virtual is not None and virtual.args != (False,):
        pytest.skip("virtual time needs a loop of asyncio's own")


@pytest.fixture(autouse=True)
def _delete_keys_from_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if "GRADIENT" in name or "DIGITALOCEAN" in name or name.startswith(("AGENT_", "MODEL_ACCESS")):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _unset_current_loop() -> None:
    """Unset the current loop again, in case another plugin's setup has set one."""
    asyncio.set_event_loop(None)


@pytest.fixture
async def steady_clock() -> None:
    """Let time limits of a test not run while the machine stops its process."""
    use_steady_clock(asyncio.get_running_loop())
