"""SIGTERM does in a command what Ctrl-C does."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from types import FrameType

import pytest

from gradient_async.cli.interruption import run_interruptible

Handler = Callable[[int, FrameType | None], object] | signal.Handlers


@pytest.mark.parametrize(
    ("number", "on_sigint"),
    [
        (signal.SIGTERM, signal.default_int_handler),
        (signal.SIGTERM, signal.SIG_IGN),  # as a shell sets it for commands in the background of a script
        (signal.SIGINT, signal.default_int_handler),
    ],
)
def test_a_signal_cancels_the_command(number: signal.Signals, on_sigint: Handler) -> None:
    cancelled = asyncio.Event()

    async def send_signal() -> None:
        try:
            os.kill(os.getpid(), number)
            await asyncio.sleep(60)
        finally:
            cancelled.set()

    on_sigterm, earlier = signal.getsignal(signal.SIGTERM), signal.signal(signal.SIGINT, on_sigint)
    try:
        with pytest.raises(KeyboardInterrupt):
            run_interruptible(send_signal())
    finally:
        signal.signal(signal.SIGINT, earlier)
    assert cancelled.is_set()
    assert signal.getsignal(signal.SIGTERM) == on_sigterm
