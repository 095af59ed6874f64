"""Types of the fixtures that run the command line."""

import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import IO, Protocol

from click.testing import Result

from gradient_async.testing import Emulator


class Invoke(Protocol):
    """Runs a command in this process."""

    def __call__(self, *args: str, stdin: str = "") -> Result: ...


class Start(Protocol):
    """Starts a command in its own process."""

    def __call__(
        self, *args: str, stdout: int = ..., stdin: int = ..., closed: str = ""
    ) -> "subprocess.Popen[str]": ...


class StartInTerminal(Protocol):
    """Runs a command with a terminal as stdout; returns the screen and the exit code."""

    def __call__(
        self, *args: str, then: "Callable[[subprocess.Popen[str]], None] | None" = None
    ) -> tuple[str, int]: ...


Serve = Callable[[Emulator], AbstractContextManager[Emulator]]
"""Runs an emulator in another thread."""
WaitUntil = Callable[[Callable[[], object]], None]
"""Waits until a condition holds; fails after five seconds."""


def stdout_of(process: "subprocess.Popen[str]") -> IO[str]:
    """Return the pipe from the process's stdout."""
    assert process.stdout is not None
    return process.stdout


def stderr_of(process: "subprocess.Popen[str]") -> IO[str]:
    """Return the pipe from the process's stderr."""
    assert process.stderr is not None
    return process.stderr
