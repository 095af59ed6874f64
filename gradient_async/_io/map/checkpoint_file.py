"""The file of a checkpoint: locked, appended, synced, read at random.

Contract: a result is on disk before `CheckpointFile.append_results` returns, whatever happens to the process or the
machine afterwards. Results that arrive while others are being written, or within 2 ms before that, share a write and
its fsync, so many concurrent calls cost few of them: one task writes batch after batch, and ends when there is none.
Nobody else writes to the file meanwhile. An incomplete last line is cut off when the file is opened; a damaged line in
the middle is skipped.

`gradient_async._protocol.map.checkpoint_records` describes the lines.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import BinaryIO, Self

import attrs

from gradient_async._io.batch.file_lock import lock_file
from gradient_async._io.batch.input_file import STEP_BYTES
from gradient_async._io.batch.journal_file import sync_directory
from gradient_async._io.batch.threads import finish_future, replace_os_error, run_in_thread, write_all
from gradient_async._io.deadline_timer import get_loop
from gradient_async._io.http.hooks import logger
from gradient_async._protocol.map.checkpoint_records import (
    RecordIndex,
    encode_header,
    encode_record,
    extract_result,
    find_fingerprint,
    find_header_fault,
)
from gradient_async.errors import CheckpointError, ConfigurationError

_MAX_HEADER_BYTES = 4096
_GATHER_SECONDS = 0.002
"""Time in which results gather for a write: none waits noticeably longer, and half the writes remain."""


@attrs.define(eq=False)
class _Batch:
    """Records that share a write; *problem* is set before *ended* if it failed."""

    records: list[bytes] = attrs.field(factory=list)
    ended: asyncio.Event = attrs.field(factory=asyncio.Event)
    problem: CheckpointError | None = None


@attrs.define(eq=False)
class CheckpointFile:
    """The checkpoint at *path*; `open_file` opens and locks it, `aclose` writes the rest and closes it.

    Attributes:
        results: The type of its results.
    """

    path: Path
    results: str
    _file: BinaryIO | None = attrs.field(default=None, init=False, repr=False)
    _reader: BinaryIO | None = attrs.field(default=None, init=False, repr=False)
    _damaged: int = attrs.field(default=0, init=False)
    _size: int = attrs.field(default=0, init=False)
    _index: RecordIndex = attrs.field(factory=RecordIndex, init=False, repr=False)
    _batch: _Batch = attrs.field(factory=_Batch, init=False, repr=False)
    _writer: asyncio.Task[CheckpointError | None] | None = attrs.field(default=None, init=False, repr=False)

    async def open_file(self) -> Self:
        """Open and lock the file, and index its records.

        Raises:
            ConfigurationError: The file cannot be opened, is locked by another process, or is not such a checkpoint.
        """
        try:
            await run_in_thread(self._lock_and_check)
            while await run_in_thread(self._index_more):
                pass  # a point where the task can be cancelled
            await run_in_thread(self._cut_torn_line)
        except BaseException:
            self._close_file()
            raise
        return self

    def __len__(self) -> int:
        """Return the number of results that were not handed out yet."""
        return len(self._index)

    def pop_result(self, fingerprint: str) -> bytes | None:
        """Return the JSON text of one result of the request with this *fingerprint*; each is returned once.

        It is read in the event loop: the file was just read as a whole, so it costs less than handing it to a thread.
        """
        place = self._index.pop_place(fingerprint)
        if place is None or self._file is None:
            return None
        return extract_result(_read_at(self._file, *place), fingerprint)

    async def append_results(self, records: Iterable[tuple[str, bytes]]) -> None:
        """Append results by their fingerprints and return when they are on disk.

        Raises:
            CheckpointError: The file cannot be written.
        """
        batch = self._batch
        batch.records += [encode_record(fingerprint, result) for fingerprint, result in records]
        if self._writer is None:
            self._writer = asyncio.Task(self._write_batches(), loop=get_loop())  # never eager: others of now share it
        await batch.ended.wait()  # wakes all in one turn of the loop, where a lock takes one for each
        if batch.problem is not None:
            raise batch.problem

    async def aclose(self) -> None:
        """Write the results of calls that were cancelled before the write, and close the file.

        Raises:
            CheckpointError: The file cannot be written.
        """
        try:
            problem = None if self._writer is None else await finish_future(self._writer)
        finally:
            self._close_file()
        if problem is not None:
            raise problem

    async def _write_batches(self) -> CheckpointError | None:
        """Write batches until none has records; return the error of the last one that failed.

        A cancellation, which the end of the loop sends to every task at once, ends the gathering, not the writing.
        """
        problem = cancelled = None
        while (batch := self._batch).records:
            try:
                await asyncio.sleep(_GATHER_SECONDS)
            except asyncio.CancelledError as error:
                cancelled = error
            self._batch = _Batch()
            try:
                await run_in_thread(partial(self._write_and_sync, b"".join(batch.records)))
            except CheckpointError as error:
                problem = batch.problem = error
            except asyncio.CancelledError as error:
                cancelled = error
            finally:
                batch.ended.set()
        self._writer = None
        if cancelled is not None:
            raise cancelled
        return problem

    def _write_and_sync(self, data: bytes) -> None:
        file = self._file
        assert file is not None  # noqa: S101 - open
        with replace_os_error(self._build_write_error):
            try:
                write_all(file.write, data)
                os.fsync(file.fileno())
            except OSError:
                _cut_file(file, self._size)
                raise
        self._size += len(data)

    def _build_write_error(self, problem: str) -> CheckpointError:
        return CheckpointError(
            f"The checkpoint {os.fspath(self.path)!r} cannot be written: {problem}. It keeps what it has; "
            "correct the cause and run the same call again, which sends only the requests without a result."
        )

    def _lock_and_check(self) -> None:
        with replace_os_error(self._build_open_error):
            self._file = self.path.open("a+b", buffering=0)
            lock_file(self._file, self.path, subject="checkpoint", purpose="map")
            self._reader = self.path.open("rb")
            header = self._reader.readline(_MAX_HEADER_BYTES)
        if encode_header(self.results).startswith(header) and not header.endswith(b"\n"):
            return  # empty, or killed while the header was written
        if fault := find_header_fault(header, self.results):
            raise ConfigurationError(f"The file {os.fspath(self.path)!r} {fault}.")
        self._size = len(header)

    def _index_more(self) -> bool:
        """Index the records of the next few megabytes; return False at the end."""
        assert self._reader is not None  # noqa: S101 - open
        step_end = self._size + STEP_BYTES
        with replace_os_error(self._build_open_error):
            while self._size and self._size < step_end:
                line = self._reader.readline()
                if not line.endswith(b"\n"):
                    return False
                fingerprint = find_fingerprint(line)
                self._damaged += fingerprint is None
                if fingerprint is not None:
                    self._index.add_record(fingerprint, self._size, len(line))
                self._size += len(line)
        return bool(self._size)

    def _cut_torn_line(self) -> None:
        """Cut off an incomplete last line, and begin a new file with its header."""
        assert self._file is not None  # noqa: S101 - open
        with replace_os_error(self._build_open_error):
            self._file.truncate(self._size)
            if not self._size:
                self._write_and_sync(encode_header(self.results))
                sync_directory(self.path.parent)
        if self._damaged:
            logger.warning("checkpoint %s: %d damaged lines; their items are sent again", self.path, self._damaged)

    def _build_open_error(self, problem: str) -> ConfigurationError:
        return ConfigurationError(f"The checkpoint {os.fspath(self.path)!r} cannot be opened: {problem}.")

    def _close_file(self) -> None:
        for file in (self._file, self._reader):
            if file is not None:
                file.close()
        self._file = self._reader = None


def _read_at(file: BinaryIO, offset: int, size: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(file.fileno(), size, offset)
    file.seek(offset)  # Windows; the file is written in append mode, wherever it stands
    return file.read(size)


def _cut_file(file: BinaryIO, size: int) -> None:
    """Remove a line that was written in part; if that fails too, it is skipped as damaged."""
    try:
        file.truncate(size)
    except OSError:
        logger.warning("a line that was written in part could not be removed from %s", file.name)
