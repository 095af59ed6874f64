"""Saves the results of a job to files.

Contract: streamed. Bytes go to ``NAME.TAG.part`` beside the target; the complete, synced file is renamed to its name,
which replaces an older file in one step. So the target is the old file or the whole new one, never a part. Neither
name is followed if it is a link. Where the storage host states the MD5 of a file, its bytes are compared.

With a journal an interrupted download resumes, also in another process. Every 16 MiB the file is synced, then a
``save`` record is written: both in this order, so a recorded byte is surely on disk. Example, two jobs of a split
input with 20 and 30 MB of results (1 MB = 10**6 bytes, about 16.8 MB between two records):

    on disk     record                             then
     16.8 MB    part 0, offset 16.8, position 16.8
     20.0 MB                                       part 0 is complete, part 1 starts at its byte 0
     33.6 MB    part 1, offset 13.6, position 33.6
     41.0 MB                                       the process is killed

The next run cuts the file to 33.6 MB, requests part 1 with ``Range: bytes=13600000-`` under a fresh URL, and appends.
The recorded ETag must still match, otherwise the part file is deleted and the download starts over when it is
called again. Without a journal the tag is random, and a failed download deletes its part file.

A file that is stored compressed is unpacked on the way. Offsets count stored bytes, so no position within it fits both
files: it has no ``save`` record, and is requested again from the last record before it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO, Literal

import attrs

from gradient_async._io.batch.journal_file import Journal
from gradient_async._io.batch.resumable_download import ResumableDownload
from gradient_async._io.batch.threads import replace_os_error, run_in_thread, write_all
from gradient_async._protocol.batch.download_state import DownloadState, read_md5
from gradient_async._protocol.batch.journal_records import SavedPosition
from gradient_async.errors import BatchError, ConfigurationError, GradientError
from gradient_async.models.batch_result import ResultFile

SYNC_BYTES = 16_777_216
"""Bytes between two ``save`` records; each of them waits for the disk."""

ByteProgress = Callable[[int, int], object]


@attrs.frozen(kw_only=True)
class SavedResults:
    """The files that were written.

    Attributes:
        output: Path of the output file.
        errors: Path of the error sidecar; None if it was not requested.
        size: Size of the output in bytes.
        errors_size: Size of the sidecar in bytes; 0 if no request failed.
        errors_problem: The reason why the sidecar of a readable output could not be saved; None if it was.
    """

    output: Path
    errors: Path | None = None
    size: int = 0
    errors_size: int = 0
    errors_problem: GradientError | None = None


def resolve_targets(
    path: str | os.PathLike[str], errors: str | os.PathLike[str] | None, journal: Path | None
) -> dict[ResultFile, Path]:
    """Return the path to save each results file to.

    Raises:
        ConfigurationError: A path is a directory or a device, or two of the files are the same.
    """
    targets: dict[ResultFile, Path] = {"output": Path(path)}
    if errors is not None:
        targets["error"] = Path(errors)
    for target in targets.values():
        if os.path.exists(target) and not os.path.isfile(target):  # noqa: PTH110, PTH113 - these two never raise
            raise _unwritable_error(target, "it is not a plain file")
    require_distinct_paths(journal=journal, path=path, errors=errors)
    return targets


@attrs.define(eq=False)
class ResultSaver:
    """Saves one results file of all jobs, concatenated, to *path*.

    Attributes:
        name: ``"output"`` or ``"error"``.
        downloads: Each opens the file of one job; None if that job does not have it.
        tag: Part of the part file's name. With a journal it is the same in the next process, otherwise random.
        on_progress: Called with the bytes saved, and the size once the current job's file is saved.
        problems: The errors of sidecars that could not be read beside a readable output.
    """

    path: Path
    name: ResultFile
    downloads: Sequence[Callable[[], ResumableDownload | None]]
    tag: str
    journal: Journal | None = None
    on_progress: ByteProgress | None = None
    _file: BinaryIO | None = attrs.field(default=None, init=False)
    _position: int = attrs.field(default=0, init=False)
    _recorded_position: int = attrs.field(default=0, init=False)
    _ends_in_line: bool = attrs.field(default=False, init=False)
    problems: list[GradientError] = attrs.field(factory=list, init=False)
    _is_worthless: bool = attrs.field(default=False, init=False)
    """Whether the part file holds bytes of another file."""

    async def save_file(self) -> int:
        """Save the file and return its size in bytes.

        Raises:
            BatchError: The disk refuses the bytes; the message names the file.
        """
        try:
            with replace_os_error(self._build_error):
                await self._save_and_rename()
        finally:
            if self.journal is None or self._is_worthless:
                self._part_path.unlink(missing_ok=True)
        return self._position

    def _build_error(self, problem: str) -> BatchError:
        return BatchError(
            f"The results could not be written to {os.fspath(self.path)!r}: {problem}, after {self._position} bytes."
        )

    async def _save_and_rename(self) -> None:
        try:
            saved = await run_in_thread(self._open_part_file)
            for number in range(saved.part, len(self.downloads)):
                await self._append_job(number, saved if number == saved.part else None)
            await run_in_thread(self._sync_file)
        finally:
            if self._file is not None:
                self._file.close()
        if self.problems and not self._position:
            self._part_path.unlink(missing_ok=True)
        else:
            await run_in_thread(partial(os.replace, self._part_path, self.path))

    @property
    def _part_path(self) -> Path:
        return self.path.with_name(f"{self.path.name}.{self.tag}.part")

    def _find_saved_position(self) -> SavedPosition:
        """Return the position to resume at: the recorded one if the part file still reaches it, else the start."""
        start = SavedPosition(part=0, offset=0, position=0)
        saved = self.journal.state.saved.get(self.name) if self.journal is not None else None
        if saved is None or saved.part >= len(self.downloads) or not self._part_path.exists():
            return start
        found = self._part_path.lstat()
        is_own_file = stat.S_ISREG(found.st_mode) and found.st_nlink == 1
        return saved if is_own_file and found.st_size >= saved.position else start

    def _open_part_file(self) -> SavedPosition:
        """Open the part file at the position to resume at, and return that."""
        saved = self._find_saved_position()
        position = saved.position
        if not position:
            self._part_path.unlink(missing_ok=True)
        self._file = file = _open_for_writing(self._part_path, "r+b" if position else "xb")
        file.truncate(position)
        file.seek(position - 1 if position else 0)
        self._ends_in_line = bool(position) and file.read(1) != b"\n"
        self._position = self._recorded_position = position
        return saved

    async def _append_job(self, number: int, saved: SavedPosition | None) -> None:
        """Append the file of one job; only the rest of it if some is *saved*."""
        download = self.downloads[number]()
        if download is None:
            return
        if saved is not None and saved.offset:
            download.state = DownloadState(saved.offset, etag=saved.tag, md5=read_md5({"ETag": saved.tag or ""}))
            download.unpacker.packed = False
            if download.state.md5 is not None:
                await run_in_thread(partial(self._hash_saved, download, saved))
        elif self._ends_in_line:
            await run_in_thread(partial(self._write_data, b"\n"))
        try:
            await self._append_blocks(number, download)
            download.compare_digest()
        except GradientError as error:
            if not download.can_do_without(error):
                raise
            self.problems.append(error.with_traceback(None))
        finally:
            self._is_worthless = self._is_worthless or download.state.changed
            download.close()

    async def _append_blocks(self, number: int, download: ResumableDownload) -> None:
        unpacker, state = download.unpacker, download.state
        while block := await download.read_block():
            await run_in_thread(partial(self._write_stored, block, download))
            if self.on_progress is not None:
                self.on_progress(self._position, self._position - state.offset + (state.total or 0))
            if unpacker.packed or self.journal is None or self._position - self._recorded_position < SYNC_BYTES:
                continue
            await run_in_thread(self._sync_file)
            saved = SavedPosition(part=number, offset=state.offset, position=self._position, tag=state.etag)
            await self.journal.append_record("save", file=self.name, **attrs.asdict(saved))
            self._recorded_position = self._position
        await run_in_thread(lambda: self._write_data(unpacker.feed_eof()))

    def _write_stored(self, block: bytes, download: ResumableDownload) -> None:
        """Hash a block of stored bytes, and write its content."""
        download.hash_block(block)
        data = download.unpacker.feed(block, download.state.coding)
        while data:
            self._write_data(data)
            data = download.unpacker.read_more()

    def _write_data(self, data: bytes) -> None:
        assert self._file is not None  # noqa: S101 - opened
        if data:
            write_all(self._file.write, data)
            self._position += len(data)
            self._ends_in_line = not data.endswith(b"\n")

    def _hash_saved(self, download: ResumableDownload, saved: SavedPosition) -> None:
        """Hash the bytes of the current job's file that are on disk."""
        assert self._file is not None  # noqa: S101 - opened
        self._file.seek(saved.position - saved.offset)
        while block := self._file.read(SYNC_BYTES):
            download.hash_block(block)

    def _sync_file(self) -> None:
        assert self._file is not None  # noqa: S101 - opened
        os.fsync(self._file.fileno())


def _open_for_writing(path: Path, mode: Literal["xb", "r+b"]) -> BinaryIO:
    with replace_os_error(partial(_unwritable_error, path)):
        return open(path, mode, buffering=0, opener=_open_without_following)


def _open_without_following(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def _unwritable_error(path: Path, problem: str) -> ConfigurationError:
    return ConfigurationError(f"The results cannot be written to {os.fspath(path)!r}: {problem}.")


def require_distinct_paths(**paths: str | os.PathLike[str] | None) -> None:
    """Refuse two paths to one file, where the later write would replace the earlier.

    Args:
        **paths: The paths by their purpose, which names them in the error; None is skipped.

    Raises:
        ConfigurationError: Two paths resolve to one file.
    """
    purposes: dict[str, str] = {}
    for purpose, path in paths.items():
        if path is not None and (other := purposes.setdefault(os.path.realpath(path), purpose)) != purpose:
            message = f"{other} and {purpose} are the same file, {os.fspath(path)!r}; give each its own."
            raise ConfigurationError(message)
