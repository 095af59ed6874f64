"""No key, prompt or signature is in an error, a log record, a traceback, a span or a journal, whatever fails."""

from __future__ import annotations

import logging
import pickle
import re
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from gradient_async import AttemptDetails, GradientError, RetryPolicy, Timeouts
from gradient_async.testing import Emulator
from tests.adversity.public_calls import AGENT_KEY, CALLS, ROWS, SECRET, World, open_world
from tests.support.otel import Recording

KEY = "sk-do-secret-key"
SIGNATURE = re.compile(r"Signature(=|%3D)[0-9a-f]{8}|Credential(=|%3D)EMU")
PAGE = "<html><body>Bad gateway</body></html>"

FAULTS: dict[str, Callable[[Emulator], None]] = {
    "nothing": lambda gradient: None,
    "refused": lambda gradient: gradient.fail(401, times=None),
    "limited": lambda gradient: gradient.fail(429, retry_after=0.01, times=None),
    "a page": lambda gradient: gradient.fail(502, body=PAGE, times=None),
    "lost": lambda gradient: gradient.reset(times=None),
    "cut": lambda gradient: gradient.truncate(after=1, mid_event=True, times=None),
    "broken in its middle": lambda gradient: gradient.reset(after=1, times=None),
    "an error event": lambda gradient: gradient.fail(500, after=1, times=None),
    "silent": lambda gradient: gradient.stall(60, times=None),
    "redirected": lambda gradient: gradient.redirect("https://elsewhere.example/?token=secret", times=None),
    "undecodable": lambda gradient: gradient.reply(body=b"{", content_type="application/json", times=None, path="*"),
    "of another shape": lambda gradient: gradient.reply(body={"data": 1, "choices": "x"}, times=None, path="*"),
}


class _Collector(logging.Handler):
    """Formats every record of every logger, with its traceback."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{self.format(record)} {record.__dict__}")


@pytest.fixture
def log() -> Iterator[list[str]]:
    """Collects the log of all loggers at DEBUG."""
    root, collector = logging.getLogger(), _Collector()
    level = root.level
    root.addHandler(collector)
    root.setLevel(logging.DEBUG)
    yield collector.lines
    root.removeHandler(collector)
    root.setLevel(level)


@pytest.fixture
def recording() -> Recording:
    return Recording()


@pytest.fixture
def attempts() -> list[AttemptDetails]:
    return []


@pytest.fixture
async def world(tmp_path: Path, recording: Recording, attempts: list[AttemptDetails]) -> AsyncIterator[World]:
    options = {"hooks": [recording.hook, attempts.append], "retry": RetryPolicy(attempts=2, first=0)}
    async with open_world(tmp_path, KEY, patience=0.2, **options) as world:
        yield world


def shorten_limits(world: World) -> None:
    """Let all calls end after a moment of silence."""
    world.session = world.session.with_options(timeouts=Timeouts(total=0.05, idle=0.05))
    world.job = world.session.batches.job(world.job.batch_id, source=ROWS)


def find_secrets(text: str, *, prompts: bool = True) -> list[str]:
    """Return the secrets in *text*, with what surrounds them."""
    secrets = [re.escape(KEY), re.escape(AGENT_KEY), SIGNATURE.pattern, *([re.escape(SECRET)] if prompts else [])]
    return [text[max(found.start() - 60, 0) : found.end() + 20] for found in re.finditer("|".join(secrets), text)]


async def catch_error(work: Awaitable[object]) -> GradientError | None:
    """Return the error of *work*, None if it ends well."""
    try:
        await work
    except GradientError as error:
        return error
    return None


def show_error(error: BaseException) -> str:
    """Return everything that *error* shows of itself, but the conversation that one of `run_tools` is documented to hold."""
    vars(error).pop("messages", None)
    return f"{error} {error!r} {vars(error)} {pickle.dumps(error).decode('latin1')}"


def show_traceback(error: BaseException) -> str:
    """Return the traceback of *error* with the local variables of each frame, as error trackers record it."""
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


async def test_what_is_looked_for_is_found(world: World) -> None:
    url, _ = world.emulator.storage.create_url("GET", "/outputs/1.jsonl")
    assert [
        len(find_secrets(f"a {secret} b")) for secret in (KEY, AGENT_KEY, SECRET, url, url.replace("=", "%3D"))
    ] == [*(1, 1, 1, 2, 2)]
    error = await catch_error(raise_beside(KEY))
    assert error is not None
    assert find_secrets(show_traceback(error))


async def raise_beside(_key: str) -> None:
    raise GradientError("short")


@pytest.mark.parametrize("fault", FAULTS)
async def test_nothing_shows_a_key_a_prompt_or_a_signature(
    world: World, fault: str, log: list[str], recording: Recording, attempts: list[AttemptDetails]
) -> None:
    if fault == "silent":
        shorten_limits(world)
    FAULTS[fault](world.emulator)
    for name, call in CALLS.items():
        if (error := await catch_error(call(world))) is not None:
            assert (name, find_secrets(show_error(error))) == (name, [])
            assert (name, find_secrets(show_traceback(error), prompts=False)) == (name, [])
    assert find_secrets("\n".join(log)) == []
    assert find_secrets(repr(attempts)) == []
    spans = [
        f"{span.name} {dict(span.attributes or {})} {[event.attributes for event in span.events]}"
        for span in recording.spans
    ]
    assert spans
    assert find_secrets(f"{spans} {recording.metrics()}") == []
    for path in world.folder.glob("*.journal"):
        assert find_secrets(path.read_text()) == []
