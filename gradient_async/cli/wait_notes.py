"""A note on stderr when a command waits for the rate limit, so that a silent terminal can be understood.

Contract: one note for waits at the same time; nothing goes to stdout.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import attrs
import click

from gradient_async import WaitDetails, WaitOutcome
from gradient_async.cli.terminal import remove_controls


@attrs.define(eq=False)
class WaitNotes:
    """A hook of a session that prints ``waiting 41 s for the rate limit (250 in 60 s)``."""

    _waiting: int = attrs.field(default=0, init=False)

    def begin_wait(self, wait: WaitDetails) -> Callable[[WaitOutcome], None]:
        """Print a note, unless another request waits already."""
        if not self._waiting:
            click.echo(remove_controls(str(wait), sys.stderr), err=True)
        self._waiting += 1
        return self._end_wait

    def _end_wait(self, _: WaitOutcome) -> None:
        self._waiting -= 1
