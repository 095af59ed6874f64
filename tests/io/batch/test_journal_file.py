"""The file of a journal: lock, sync, errors."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import sys
import threading
import time
from pathlib import Path

import anyio
import pytest

from gradient_async import BatchError, ConfigurationError
from gradient_async._io.batch.journal_file import Journal
from gradient_async._protocol.batch.journal_records import JournalHeader, fingerprint_key
from gradient_async._protocol.batch.validation_report import InputPart

BEGIN = JournalHeader(
    salt="s",
    account=fingerprint_key("sk-do-secret", "s"),
    host="https://h",
    digest="abc",
    provider="openai",
    endpoint="/v1/chat/completions",
    parts=(InputPart(0, 10, 2), InputPart(10, 20, 2, 2)),
).encode_begin()


async def test_appended_records_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    async with Journal(path) as journal:
        await journal.append_encoded(BEGIN)
        await journal.append_record("upload", part=0, file_id="f")
    path.write_bytes(path.read_bytes() + b'{"kind":"submit","pa')
    async with Journal(path) as journal:
        assert journal.state.part_state(0).file_id == "f"
        await journal.append_record("create", part=0, batch_id="b")
    async with Journal(path) as journal:
        assert journal.state.part_state(0).batch_id == "b"


async def test_a_journal_in_use_is_refused_until_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    async with Journal(path) as journal:
        await journal.append_encoded(BEGIN)
        with pytest.raises(ConfigurationError, match="in use by another process"):
            await Journal(path).__aenter__()
    async with Journal(path) as journal:
        assert journal.state.header is not None


async def test_a_cancelled_append_is_on_disk_before_the_lock_is_released(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, synced = tmp_path / "run.journal", threading.Event()

    def sync_slowly(_: int) -> None:
        time.sleep(0.1)
        synced.set()

    async def write_record() -> None:
        async with Journal(path) as journal:
            monkeypatch.setattr(os, "fsync", sync_slowly)
            await journal.append_encoded(BEGIN)

    task = asyncio.create_task(write_record())
    while path.exists() is False or not path.stat().st_size:
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert synced.is_set()


async def test_the_lock_ends_with_a_killed_process(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    code = (
        "import asyncio, os, pathlib, signal, sys\n"
        "from gradient_async._io.batch.journal_file import Journal\n"
        "async def main():\n"
        "    async with Journal(pathlib.Path(sys.argv[1])):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())\n"
    )
    killed = await anyio.run_process([sys.executable, "-c", code, str(path)], check=False)
    assert killed.returncode == -9
    async with Journal(path) as journal:
        await journal.append_encoded(BEGIN)
    assert path.read_bytes() == BEGIN


async def test_a_journal_that_cannot_be_opened_raises_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file or directory"):
        await Journal(tmp_path / "no" / "run.journal").__aenter__()


async def test_a_file_system_without_locks_is_reported_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(ConfigurationError, match="cannot be opened: No locks available"):
        await Journal(tmp_path / "run.journal").__aenter__()


async def test_a_file_system_that_cannot_sync_directories_holds_a_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fsync(fd: int) -> None:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", fsync)
    path = tmp_path / "run.journal"
    async with Journal(path) as journal:
        await journal.append_encoded(BEGIN)
    assert path.read_bytes() == BEGIN


@pytest.mark.parametrize("text", ['{"custom_id":"a"}\n', "one line and no end of it", "{"])
async def test_a_file_that_is_not_a_journal_is_refused_and_kept(tmp_path: Path, text: str) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text(text + "x")
    with pytest.raises(BatchError, match="is not a journal"):
        await Journal(path).__aenter__()
    assert path.read_text() == text + "x"
