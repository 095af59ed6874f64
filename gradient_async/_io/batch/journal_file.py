"""The journal's file.

Contract: a record is on disk, whatever happens to the process or the machine, before `Journal.append` returns. One
process at a time: the lock goes with the process, however it ends. What the last write left half done is cut off.
"""

from __future__ import annotations

import errno
import os
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import attrs

from gradient_async._io.batch.threads import run_in_thread
from gradient_async._protocol.batch.journal_records import JournalState, encode_record, read_journal
from gradient_async.errors import ConfigurationError

try:
    import fcntl
except ImportError:  # Windows: two processes with one journal are not told apart there
    fcntl = None  # type: ignore[assignment]

_NOT_FOR_FOLDERS = frozenset({errno.EINVAL, errno.EBADF, errno.ENOTSUP})


@attrs.define(eq=False)
class Journal:
    """The journal at *path*, while it is entered.

    Attributes:
        state: What its records add up to.
    """

    path: Path
    state: JournalState = attrs.field(factory=JournalState, init=False)
    _file: BinaryIO | None = attrs.field(default=None, init=False, repr=False)

    async def __aenter__(self) -> Self:
        """Open it, and read what it says.

        Raises:
            ConfigurationError: It cannot be opened, or another process has it open.
            BatchError: It is damaged.
        """
        try:
            await run_in_thread(self._open)
        except BaseException:
            self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close it, and let another process open it."""
        if self._file is not None:
            self._file.close()
            self._file = None

    async def append(self, kind: str, **fields: Any) -> None:
        """Write one record, and return when it is on disk."""
        await self.write(encode_record(kind, **fields))

    async def write(self, record: bytes) -> None:
        """Write a *record*, and return when it is on disk; not even cancellation leaves that open."""
        await run_in_thread(partial(self._write, record))

    def _write(self, record: bytes) -> None:
        assert self._file is not None  # noqa: S101 - it is entered
        view = memoryview(record)
        while view:
            view = view[self._file.write(view) :]
        os.fsync(self._file.fileno())

    def _open(self) -> None:
        problem = ""
        try:
            file = self.path.open("a+b", buffering=0)
            try:
                self._begin(file)
            except BaseException:
                file.close()
                raise
        except OSError as error:
            problem = error.strerror or type(error).__name__
        else:
            return
        raise ConfigurationError(f"The journal {os.fspath(self.path)!r} cannot be opened: {problem}.")

    def _begin(self, file: BinaryIO) -> None:
        self._lock(file)
        file.seek(0)
        self.state, whole = read_journal(file.read())
        file.truncate(whole)
        _sync_folder(self.path.parent)
        self._file = file

    def _lock(self, file: BinaryIO) -> None:
        if fcntl is None:
            return
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass
        else:
            return
        raise ConfigurationError(
            f"The journal {os.fspath(self.path)!r} is in use by another process; "
            "wait for it, or use another journal for another job."
        )


def _sync_folder(folder: Path) -> None:
    """Make the new file's name as durable as its contents; where folders cannot be synced, they need not be."""
    if os.name != "posix":
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in _NOT_FOR_FOLDERS:
            raise
    finally:
        os.close(fd)
