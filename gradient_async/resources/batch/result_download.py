"""The results of a job as files.

Contract: streamed; the file appears under its name only when it is complete. With a journal, a process that was
killed goes on at the last byte that surely was on disk, instead of at the beginning.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO, Literal

import attrs

from gradient_async._io.batch.journal_file import Journal
from gradient_async._io.batch.resumable_download import ResumableDownload
from gradient_async._io.batch.threads import run_in_thread
from gradient_async._protocol.batch.journal_records import SavedPosition
from gradient_async._protocol.batch.presigned import DownloadState
from gradient_async.errors import ConfigurationError, ProtocolError
from gradient_async.models.batch_result import ResultFile
from gradient_async.resources.batch.result_stream import ResultFiles

SYNC_BYTES = 16_777_216
"""Bytes between two notes in the journal, each of which waits for the disk."""

Watcher = Callable[[int, int], object]


@attrs.frozen(kw_only=True)
class SavedResults:
    """The files that were written.

    Attributes:
        errors: Where the error sidecar went; None if it was not asked for.
        size: Bytes of the output.
        errors_size: Bytes of the sidecar; 0 if there is none.
    """

    output: Path
    errors: Path | None = None
    size: int = 0
    errors_size: int = 0


def resolve_targets(
    path: str | os.PathLike[str], errors: str | os.PathLike[str] | None
) -> list[tuple[ResultFile, Path]]:
    """Return which file goes where.

    Raises:
        ConfigurationError: One would replace a folder or a device.
    """
    targets: list[tuple[ResultFile, Path]] = [("output", Path(path))]
    if errors is not None:
        targets.append(("error", Path(errors)))
    for _, target in targets:
        if os.path.exists(target) and not os.path.isfile(target):  # noqa: PTH110, PTH113 - these two never raise
            raise _unwritable(target, "it is no plain file")
    return targets


@attrs.define(eq=False)
class ResultSaver:
    """Writes one of the files of all jobs in *sources* to *path*, one after the other.

    Attributes:
        tag: Tells the unfinished file from those of others; with a journal it is the same in the next process.
        watch: Told how many bytes are there, and of how many in the part that is being read.
    """

    path: Path
    name: ResultFile
    sources: Sequence[ResultFiles]
    tag: str
    journal: Journal | None = None
    watch: Watcher | None = None
    _file: BinaryIO | None = attrs.field(default=None, init=False)
    _position: int = attrs.field(default=0, init=False)
    _synced: int = attrs.field(default=0, init=False)
    _ends_in_line: bool = attrs.field(default=False, init=False)

    async def save(self) -> int:
        """Write the file and return its size in bytes."""
        try:
            await self._save()
        except BaseException as error:
            if self.journal is None or isinstance(error, ProtocolError):  # the rest would not fit to what is there
                self._partial.unlink(missing_ok=True)
            raise
        return self._position

    async def _save(self) -> None:
        begun = self._begun()
        try:
            await run_in_thread(partial(self._open, begun.position))
            for number in range(begun.part, len(self.sources)):
                transfer = DownloadState(begun.offset, tag=begun.tag) if number == begun.part else DownloadState()
                await self._copy(number, transfer)
            await run_in_thread(self._sync)
        finally:
            if self._file is not None:
                self._file.close()
        await run_in_thread(partial(os.replace, self._partial, self.path))

    @property
    def _partial(self) -> Path:
        return self.path.with_name(f"{self.path.name}.{self.tag}.part")

    def _begun(self) -> SavedPosition:
        """Return how far an earlier process came, as far as that is still there."""
        begun = self.journal.state.saved.get(self.name) if self.journal is not None else None
        if begun is None or begun.part >= len(self.sources) or not self._partial.exists():
            return SavedPosition(part=0, offset=0, position=0)
        return begun if self._partial.stat().st_size >= begun.position else SavedPosition(part=0, offset=0, position=0)

    def _open(self, position: int) -> None:
        self._file = file = _opened(self._partial, "r+b" if position else "wb")
        file.truncate(position)
        file.seek(position - 1 if position else 0)
        self._ends_in_line = bool(position) and file.read(1) != b"\n"
        self._position = self._synced = position

    async def _copy(self, number: int, transfer: DownloadState) -> None:
        """Append what is left of the file of one job."""
        reader = self.sources[number].open(self.name)
        if reader is None:
            return
        reader.transfer = transfer
        if transfer.offset == 0 and self._ends_in_line:
            await self._write(b"\n")
        try:
            await self._copy_blocks(number, reader)
        finally:
            reader.close()

    async def _copy_blocks(self, number: int, reader: ResumableDownload) -> None:
        while block := await reader.read_block():
            await self._write(block)
            if self.watch is not None:
                self.watch(self._position, self._position - reader.transfer.offset + (reader.transfer.total or 0))
            if self.journal is not None and self._position - self._synced >= SYNC_BYTES:
                await run_in_thread(self._sync)
                await self._note(number, reader.transfer)

    async def _write(self, block: bytes) -> None:
        await run_in_thread(partial(self._write_all, block))
        self._position += len(block)
        self._ends_in_line = not block.endswith(b"\n")

    async def _note(self, number: int, transfer: DownloadState) -> None:
        assert self.journal is not None  # noqa: S101 - asked by the caller
        place = SavedPosition(part=number, offset=transfer.offset, position=self._position, tag=transfer.tag)
        await self.journal.append("save", file=self.name, **attrs.asdict(place))
        self._synced = self._position

    def _write_all(self, block: bytes) -> None:
        assert self._file is not None  # noqa: S101 - it is open
        view = memoryview(block)
        while view:
            view = view[self._file.write(view) :]

    def _sync(self) -> None:
        assert self._file is not None  # noqa: S101 - it is open
        os.fsync(self._file.fileno())


def _opened(path: Path, mode: Literal["wb", "r+b"]) -> BinaryIO:
    problem = ""
    try:
        return path.open(mode, buffering=0)
    except OSError as error:
        problem = error.strerror or type(error).__name__
    raise _unwritable(path, problem)


def _unwritable(path: Path, problem: str) -> ConfigurationError:
    return ConfigurationError(f"The results cannot be written to {os.fspath(path)!r}: {problem}.")


def require_distinct_paths(**paths: str | os.PathLike[str] | None) -> None:
    """Check that no two of *paths*, by what each is for, are one file: the later would replace the earlier.

    Raises:
        ConfigurationError: Two are.
    """
    known: dict[str, str] = {}
    for name, path in paths.items():
        if path is not None and (other := known.setdefault(os.path.realpath(path), name)) != name:
            raise ConfigurationError(f"{other} and {name} are the same file, {os.fspath(path)!r}; give each its own.")
