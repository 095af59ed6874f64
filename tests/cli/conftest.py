"""The command line, in this process or as one of its own, pointed at an emulator in another thread."""

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

VARIABLES = (
    *credentials.INFERENCE_KEYS,
    *credentials.INFERENCE_ENDPOINTS,
    *credentials.AGENT_KEYS,
    *credentials.AGENT_ENDPOINTS,
    "GRADIENT_MODEL",
)

# A process that was started in the background ignores Ctrl-C, and so would everything it starts.
LAUNCH = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from gradient_async.cli import main; sys.exit(main())"
)

Invoke = Callable[..., Result]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(autouse=True)
def _no_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "100")


@contextmanager
def in_a_thread(emulator: Emulator) -> Iterator[Emulator]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(emulator.__aenter__(), loop).result(5)
        yield emulator
        asyncio.run_coroutine_threadsafe(emulator.aclose(), loop).result(5)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def gradient(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An emulator that the environment points at."""
    with in_a_thread(Emulator(limits="documented")) as emulator:
        monkeypatch.setenv("GRADIENT_INFERENCE_ENDPOINT", emulator.url)
        monkeypatch.setenv("MODEL_ACCESS_KEY", "sk-secret")
        monkeypatch.setenv("AGENT_ENDPOINT", emulator.agent_url)
        monkeypatch.setenv("AGENT_ACCESS_KEY", "agent-secret")
        yield emulator


@pytest.fixture
def invoke() -> Invoke:
    """Run a command in this process."""
    from gradient_async.cli.app import cli

    def invoked(*args: str, stdin: str = "") -> Result:
        return CliRunner().invoke(cli, args, input=stdin, prog_name="gradient-async")

    return invoked


@pytest.fixture
def start() -> Iterator[Start]:
    """Run a command in a process of its own."""
    started: list[subprocess.Popen[str]] = []

    def launched(
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

    yield launched
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def wait_until() -> Callable[[Callable[[], object]], None]:
    """Return once a condition holds; fail after five seconds."""

    def waited(condition: Callable[[], object]) -> None:
        end = time.monotonic() + 5
        while not condition():
            assert time.monotonic() < end
            time.sleep(0.01)

    return waited


@pytest.fixture
def start_in_terminal(start: Start) -> Callable[..., tuple[str, int]]:
    """Run a command with a terminal for stdout; return what it showed and its exit code."""
    pty = pytest.importorskip("pty", reason="needs pseudo-terminals")

    def run(*args: str, then: Callable[[subprocess.Popen[str]], None] | None = None) -> tuple[str, int]:
        master, slave = pty.openpty()
        process = start(*args, stdout=slave)
        os.close(slave)
        shown = threading.Thread(target=_read_all, args=(master, screen := []))
        shown.start()
        if then is not None:
            then(process)
        code = process.wait(timeout=5)
        shown.join()
        os.close(master)
        return b"".join(screen).decode(), code

    return run


def _read_all(descriptor: int, screen: list[bytes]) -> None:
    with suppress(OSError):  # how a terminal says that its other end is closed
        while data := os.read(descriptor, 4096):
            screen.append(data)
