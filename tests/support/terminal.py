"""A person at a terminal: a process whose stdin, stdout and stderr are a pseudo-terminal, with its keys."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import attrs

from tests.support.waiting import HANG_SECONDS

CTRL_C, CTRL_D = "\x03", "\x04"
_LAUNCH = (
    "import fcntl, os, signal, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    "signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from gradient_async.cli import main; sys.exit(main())"
)
"""Makes the terminal that of the process, so that Ctrl-C is a signal."""


@attrs.define(eq=False)
class Terminal:
    """The screen and the keyboard of one process."""

    process: subprocess.Popen[bytes]
    _master: int
    _shown: bytes = attrs.field(default=b"", init=False)
    _seen: int = attrs.field(default=0, init=False)
    _changed: threading.Condition = attrs.field(factory=threading.Condition, init=False)

    @property
    def screen(self) -> str:
        """Everything that was shown."""
        return self._shown.decode(errors="replace").replace("\r\n", "\n")

    def type(self, keys: str) -> None:
        """Press *keys*."""
        os.write(self._master, keys.encode())

    def wait_for(self, text: str) -> None:
        """Wait until *text* is shown after what was waited for before."""

        def find_text() -> bool:
            return self.screen.find(text, self._seen) >= 0

        with self._changed:
            assert self._changed.wait_for(find_text, HANG_SECONDS), self.screen[self._seen :]
            self._seen = self.screen.find(text, self._seen) + len(text)

    def press_until(self, key: str, text: str) -> None:
        """Press *key* until *text* is shown: CPython notices a signal that comes just before it waits with the next."""

        def find_text() -> bool:
            return self.screen.find(text, self._seen) >= 0

        self.type(key)
        with self._changed:
            if not self._changed.wait_for(find_text, HANG_SECONDS / 4):
                self.type(key)
        self.wait_for(text)

    def read_forever(self) -> None:
        """Read what the process shows, until it has ended."""
        with suppress(OSError):  # the other end is closed
            while data := os.read(self._master, 4096):
                with self._changed:
                    self._shown += data
                    self._changed.notify_all()


@contextmanager
def open_terminal(*args: str) -> Iterator[Terminal]:
    """Run the command line with *args* in a terminal; kill it at the end."""
    import pty

    master, slave = pty.openpty()
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "TERM": "dumb", "INPUTRC": os.devnull}
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", _LAUNCH, *args], env=environment, stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    terminal = Terminal(process, master)
    reader = threading.Thread(target=terminal.read_forever)
    reader.start()
    try:
        yield terminal
    finally:
        process.kill()
        process.wait()
        reader.join()
        os.close(master)
