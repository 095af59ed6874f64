"""An emulator in a thread of its own, for tests that block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from anyio.from_thread import start_blocking_portal

from gradient_async.testing import Emulator


@contextmanager
def run_emulator(**options: Any) -> Iterator[Emulator]:
    """Run an emulator while the block runs, whatever the block's thread does."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(Emulator(**options)) as emulator:
        yield emulator
