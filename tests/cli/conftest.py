"""Fixtures that run the command line, in this process or in its own, against an emulator in another thread."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from click.testing import CliRunner, Result

from gradient_async._protocol.http import credentials
from gradient_async.testing import Emulator
from tests.support.cli import Invoke, Serve, Start, StartInTerminal, WaitUntil
from tests.support.waiting import HANG_SECONDS

VARIABLES = (
    *credentials.INFERENCE_KEYS,
    *credentials.INFERENCE_ENDPOINTS,
    *credentials.AGENT_KEYS,
    *credentials.AGENT_ENDPOINTS,
    "GRADIENT_MODEL",
    "GRADIENT_PROFILE",
)

# A background process ignores Ctrl-C, and its children inherit that: install the default handler.
LAUNCH = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from gradient_async.cli import main; sys.exit(main())"
)


@pytest.fixture(autouse=True)
def _clear_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path_factory.mktemp("home")))


@contextmanager
def run_in_thread(emulator: Emulator) -> Iterator[Emulator]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(emulator.__aenter__(), loop).result(HANG_SECONDS)
        yield emulator
        asyncio.run_coroutine_threadsafe(emulator.aclose(), loop).result(HANG_SECONDS)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def serve() -> Serve:
    """Runs an emulator in another thread."""
    return run_in_thread


@pytest.fixture
def gradient(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An emulator whose address and keys are in the environment."""
    with run_in_thread(Emulator(limits="documented")) as emulator:
        monkeypatch.setenv("GRADIENT_INFERENCE_ENDPOINT", emulator.url)
        monkeypatch.setenv("MODEL_ACCESS_KEY", "sk-secret")
        monkeypatch.setenv("AGENT_ENDPOINT", emulator.agent_url)
        monkeypatch.setenv("AGENT_ACCESS_KEY", "agent-secret")
        yield emulator


@pytest.fixture
def invoke() -> Invoke:
    """Runs a command in this process."""
    from gradient_async.cli.app import cli

    def invoke_cli(*args: str, stdin: str = "") -> Result:
        return CliRunner().invoke(cli, args, input=stdin, prog_name="gradient-async")

    return invoke_cli


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a command in its own process; kills it at the end of the test."""
    started: list[subprocess.Popen[str]] = []

    def launch(
        *args: str, stdout: int = subprocess.PIPE, stdin: int = subprocess.DEVNULL, closed: str = ""
    ) -> subprocess.Popen[str]:
        shell = ["sh", "-c", f'exec "$@" {closed}', "sh"] if closed else []
        process = subprocess.Popen(
            [*shell, sys.executable, "-u", "-c", LAUNCH, *args],
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        )
        started.append(process)
        return process

    yield launch
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def wait_until() -> WaitUntil:
    """Waits until a condition holds; fails after `HANG_SECONDS`."""

    def wait(condition: Callable[[], object]) -> None:
        end = time.monotonic() + HANG_SECONDS
        while not condition():
            assert time.monotonic() < end
            time.sleep(0.01)

    return wait


@pytest.fixture
def start_in_terminal(start: Start) -> StartInTerminal:
    """Runs a command with a terminal as stdout; returns the screen and the exit code."""
    pty = pytest.importorskip("pty", reason="needs pseudo-terminals")

    def run(*args: str, then: Callable[[subprocess.Popen[str]], None] | None = None) -> tuple[str, int]:
        master, slave = pty.openpty()
        process = start(*args, stdout=slave)
        os.close(slave)
        screen: list[bytes] = []
        reader = threading.Thread(target=_read_all, args=(master, screen))
        reader.start()
        if then is not None:
            then(process)
        code = process.wait(timeout=HANG_SECONDS)
        reader.join()
        os.close(master)
        return b"".join(screen).decode(), code

    return run


def _read_all(descriptor: int, screen: list[bytes]) -> None:
    with suppress(OSError):  # the other end of the terminal is closed
        while data := os.read(descriptor, 4096):
            screen.append(data)
