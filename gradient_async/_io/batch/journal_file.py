"""The file of a journal: locked, appended, synced.

Contract: a record is on disk before `Journal.append_record` returns, whatever happens to the process or the machine
afterwards. One process at a time: the lock ends with the process, however it ends. An incomplete last line is cut off
when the journal is opened.

`gradient_async._protocol.batch.journal_records` describes the records and a restart.
"""

from __future__ import annotations

import errno
import os
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import attrs

from gradient_async._io.batch.file_lock import lock_file
from gradient_async._io.batch.threads import replace_os_error, run_in_thread, write_all
from gradient_async._protocol.batch.journal_records import JournalState, encode_record, read_journal
from gradient_async.errors import BatchError, ConfigurationError

_CANNOT_SYNC_DIRECTORY = frozenset({errno.EINVAL, errno.EBADF, errno.ENOTSUP})


@attrs.define(eq=False)
class Journal:
    """The journal at *path*, an async context manager that holds its lock.

    Attributes:
        state: The state that its records add up to.
    """

    path: Path
    state: JournalState = attrs.field(factory=JournalState, init=False)
    _file: BinaryIO | None = attrs.field(default=None, init=False, repr=False)

    async def __aenter__(self) -> Self:
        """Open and lock the file, and read its records.

        Raises:
            ConfigurationError: The file cannot be opened, or another process holds its lock.
            BatchError: The file is not a journal, or is damaged.
        """
        try:
            await run_in_thread(self._open_file)
        except BaseException:
            self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and release its lock."""
        if self._file is not None:
            self._file.close()
            self._file = None

    async def append_record(self, kind: str, **fields: Any) -> None:
        """Encode one record, append it, and return when it is on disk."""
        await self.append_encoded(encode_record(kind, **fields))

    async def append_encoded(self, record: bytes) -> None:
        """Append an encoded record and return when it is on disk; a cancellation is raised only afterwards.

        Raises:
            BatchError: The disk refuses the record.
        """
        await run_in_thread(partial(self._write_and_sync, record))

    def _write_and_sync(self, record: bytes) -> None:
        assert self._file is not None  # noqa: S101 - entered
        with replace_os_error(self._build_write_error):
            write_all(self._file.write, record)
            os.fsync(self._file.fileno())

    def _build_write_error(self, problem: str) -> BatchError:
        return BatchError(
            f"The journal {os.fspath(self.path)!r} cannot be written: {problem}. It keeps what it has; correct the "
            "cause and make the same call again, which goes on and pays once."
        )

    def _open_file(self) -> None:
        with replace_os_error(self._build_open_error):
            file = self.path.open("a+b", buffering=0)
            try:
                self._load_records(file)
            except BaseException:
                file.close()
                raise

    def _build_open_error(self, problem: str) -> ConfigurationError:
        return ConfigurationError(f"The journal {os.fspath(self.path)!r} cannot be opened: {problem}.")

    def _load_records(self, file: BinaryIO) -> None:
        lock_file(file, self.path, subject="journal", purpose="job")
        file.seek(0)
        self.state, size = read_journal(file.read())
        file.truncate(size)
        sync_directory(self.path.parent)
        self._file = file


def sync_directory(path: Path) -> None:
    """Make the directory entry of a new file durable; skip file systems that cannot sync a directory."""
    if os.name != "posix":
        return
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC_DIRECTORY:
            raise
    finally:
        os.close(fd)
