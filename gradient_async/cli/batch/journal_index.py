"""Finds the journal of a run by its input and account, wherever it lies.

Contract: a small file for each input and account, named by the identity of the job, holds the path of its journal. So
the same input with another ``--output`` continues the job that was paid for. Without a writable folder nothing is
found, and nothing fails.

    $XDG_STATE_HOME/gradient-async/journals/1f3a...   /data/in.results.jsonl.journal
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import attrs


@attrs.define
class JournalIndex:
    """Chooses the journal of a run.

    Attributes:
        folder: The folder of the index.
        default: The journal of a run that is not known yet.
        chosen: The journal that was chosen; None before that.
        is_known: Whether the journal was found in the index, in another place than the default.
    """

    folder: Path
    default: Path
    chosen: Path | None = attrs.field(default=None, init=False)
    is_known: bool = attrs.field(default=False, init=False)

    def choose(self, identity: str) -> Path:
        """Return the journal of the job *identity*: the known one if it still exists, else the default."""
        entry = self.folder / identity
        known = None
        with suppress(OSError, ValueError):
            known = Path(entry.read_text(encoding="utf-8"))
        if known is not None and known.is_file() and known != self.default.absolute():
            self.chosen, self.is_known = known, True
            return known
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft = entry.with_name(f"{identity}.{os.getpid()}")
            draft.write_text(os.fspath(self.default.absolute()), encoding="utf-8")
            draft.replace(entry)
        self.chosen = self.default
        return self.default
