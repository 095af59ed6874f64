"""SIGTERM as Ctrl-C.

Contract: containers, service managers and ``timeout`` end a command with SIGTERM. It then does what it does after a
Ctrl-C: cancel its calls, say how to go on, and exit with the same code. The default action says nothing, and the first
process of a container would ignore the signal.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Coroutine
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")


def run_interruptible(main: Coroutine[Any, Any, T]) -> T:
    """Run *main* in an event loop and return its result.

    Raises:
        KeyboardInterrupt: A SIGINT or SIGTERM came; *main* was cancelled.
    """
    if threading.current_thread() is not threading.main_thread():
        return asyncio.run(main)  # only the main thread may set handlers
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        return asyncio.run(main)
    finally:
        signal.signal(signal.SIGTERM, previous or signal.SIG_DFL)


def _interrupt(_number: int, frame: FrameType | None) -> None:
    """Call the handler of SIGINT, which is that of the running loop; a shell may have told the process to ignore it."""
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler):
        raise KeyboardInterrupt
    handler(signal.SIGINT, frame)
