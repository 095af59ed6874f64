"""Processes that begin with the modules of these tests imported: each start takes 10 ms of CPU, not half a second.

They are forked from a process that has only imported, and share nothing with the tests.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import runpy
import sys
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

import attrs

PRELOADED = [
    "tests.batches.killing",
    "tests.map.killing",
    *(
        f"gradient_async.{name}"
        for name in ("_io.http.pipeline", "_io.batch.poller", "_protocol.codec.cattrs_converter")
    ),
    *(f"gradient_async.resources.{name}" for name in ("batch.batches", "batch.report", "chat.completions")),
]
"""What these processes would import at their start or at their first call."""


@attrs.frozen
class ForkedProcess:
    """A process that can be waited for in a task, and killed."""

    process: BaseProcess

    @property
    def exit_code(self) -> int | None:
        """The exit code, of a killed process the negative number of its signal; None while it runs."""
        return self.process.exitcode

    async def wait(self) -> int:
        """Return the exit code when the process has ended."""
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self.process.sentinel, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(self.process.sentinel)
        self.process.join()
        assert self.process.exitcode is not None
        return self.process.exitcode

    def kill(self) -> None:
        """Send SIGKILL."""
        self.process.kill()


def run_script(script: Path, arguments: Sequence[str], output: Path, problems: Path) -> None:
    """Run the program *script* in this process; its stdout and stderr go to the files *output* and *problems*."""
    for number, path in ((1, output), (2, problems)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.chdir(script.parent)
    sys.path.insert(0, str(script.parent))
    sys.argv[:] = [str(script), *arguments]
    runpy.run_path(str(script), run_name="__main__")


def start_forked(function: Callable[..., None], *arguments: object) -> ForkedProcess:
    """Run ``function(*arguments)`` in a process of its own; *function* is one that a module defines."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    process = context.Process(target=function, args=arguments, daemon=True)
    process.start()
    return ForkedProcess(process)
