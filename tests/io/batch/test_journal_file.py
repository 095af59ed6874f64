"""The journal: what it says after any end, and whose it is."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async import BatchError, ConfigurationError, ValidationReport
from gradient_async._io.batch.journal_file import Journal
from gradient_async._protocol.batch.journal_records import JournalHeader, encode_record, fingerprint_key, read_journal
from gradient_async._protocol.batch.validation_report import InputPart

KEY = "sk-do-secret"
FACTS: dict[str, Any] = {"key": KEY, "host": "https://h", "provider": "openai", "endpoint": "/v1/chat/completions"}
REPORT = ValidationReport(digest="abc", parts=(InputPart(0, 10, 2), InputPart(10, 20, 2, 2)))


def header() -> JournalHeader:
    return JournalHeader(
        salt="s",
        account=fingerprint_key(KEY, "s"),
        host="https://h",
        digest="abc",
        provider="openai",
        endpoint="/v1/chat/completions",
        parts=REPORT.parts,
    )


RECORDS = [
    header().encode_begin(),
    encode_record("upload", part=0, file_id="f-0"),
    encode_record("submit", part=0, body={"request_id": "r-0", "file_id": "f-0"}),
    encode_record("create", part=0, batch_id="b-0"),
    encode_record("upload", part=1, file_id="f-1"),
    encode_record("save", file="output", part=0, offset=5, position=5, tag='"e"'),
    encode_record("save", file="output", part=1, offset=3, position=14, tag=None),
]
WHOLE = b"".join(RECORDS)


def test_a_journal_says_what_was_written() -> None:
    state, whole = read_journal(WHOLE)
    assert whole == len(WHOLE)
    assert state.header == header()
    assert (state.part_state(0).batch_id, state.part_state(0).body, state.part_state(1).file_id, state.part_state(1).batch_id) == (
        "b-0", {"request_id": "r-0", "file_id": "f-0"}, "f-1", None,
    )  # fmt: skip
    assert (state.saved["output"].offset, state.saved["output"].position) == (3, 14)


def test_a_torn_last_line_is_as_if_it_had_not_been_written() -> None:
    for cut in range(len(WHOLE) + 1):
        complete = b"".join(RECORDS[: WHOLE[:cut].count(b"\n")])
        assert read_journal(WHOLE[:cut]) == (read_journal(complete)[0], len(complete))


@given(st.integers(1, len(RECORDS) - 2), st.binary(max_size=20).filter(lambda data: b"\n" not in data))
def test_damage_in_the_middle_is_an_error(number: int, damage: bytes) -> None:
    data = b"".join([*RECORDS[:number], damage + b"\n", *RECORDS[number + 1 :]])
    with pytest.raises(BatchError, match=f"Line {number + 1} of the journal is damaged"):
        read_journal(data)


@given(st.binary(max_size=300), st.sampled_from([b"", WHOLE[:14], WHOLE[:60], RECORDS[0]]))
def test_any_bytes_are_a_journal_or_a_clear_error(data: bytes, start: bytes) -> None:
    with suppress(BatchError):
        read_journal(start + data)


def test_a_record_of_a_newer_kind_is_passed_over() -> None:
    assert read_journal(WHOLE + encode_record("later", what=1))[0] == read_journal(WHOLE)[0]


def test_another_version_is_refused() -> None:
    with pytest.raises(BatchError, match="version 2"):
        read_journal(header().encode_begin().replace(b'"version":1', b'"version":2'))


def test_the_same_job_is_accepted() -> None:
    header().require_same_job(report=REPORT, **FACTS)


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ({"key": "sk-do-other"}, "another key"),
        ({"host": "https://other"}, "another host"),
        ({"report": ValidationReport(digest="abd")}, "another input"),
        ({"provider": "anthropic"}, "another provider"),
        ({"endpoint": "/v1/embeddings"}, "another endpoint"),
    ],
)
def test_another_job_is_refused_and_named(other: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigurationError, match=what) as caught:
        header().require_same_job(**{"report": REPORT, **FACTS, **other})
    assert KEY not in str(caught.value)


def test_the_key_is_nowhere_in_the_journal() -> None:
    assert KEY.encode() not in WHOLE
    assert fingerprint_key(KEY, "s") != fingerprint_key(KEY, "t")


async def test_what_is_appended_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    async with Journal(path) as journal:
        await journal.append_encoded(header().encode_begin())
        await journal.append_record("upload", part=0, file_id="f")
    path.write_bytes(path.read_bytes() + b'{"kind":"submit","pa')
    async with Journal(path) as journal:
        assert journal.state.part_state(0).file_id == "f"
        await journal.append_record("create", part=0, batch_id="b")
    async with Journal(path) as journal:
        assert journal.state.part_state(0).batch_id == "b"


async def test_two_at_a_time_are_refused(tmp_path: Path) -> None:
    async with Journal(tmp_path / "run.journal"):
        with pytest.raises(ConfigurationError, match="in use by another process"):
            await Journal(tmp_path / "run.journal").__aenter__()
    async with Journal(tmp_path / "run.journal"):
        pass


async def test_a_cancelled_record_is_on_disk_before_the_journal_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, synced = tmp_path / "run.journal", threading.Event()

    async def write() -> None:
        async with Journal(path) as journal:
            monkeypatch.setattr(os, "fsync", lambda _: time.sleep(0.1) or synced.set())
            await journal.append_encoded(RECORDS[0])

    task = asyncio.create_task(write())
    while path.exists() is False or not path.stat().st_size:
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert synced.is_set()


async def test_the_lock_goes_with_the_process(tmp_path: Path) -> None:
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
    async with Journal(path):
        pass


async def test_a_journal_that_cannot_be_opened_is_a_setting_that_cannot_work(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file or directory"):
        await Journal(tmp_path / "no" / "run.journal").__aenter__()


async def test_a_file_system_without_locks_is_not_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(ConfigurationError, match="cannot be opened: No locks available"):
        await Journal(tmp_path / "run.journal").__aenter__()


async def test_a_file_system_that_syncs_no_folders_can_hold_a_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fsync(fd: int) -> None:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", fsync)
    async with Journal(tmp_path / "run.journal") as journal:
        await journal.append_encoded(RECORDS[0])


@pytest.mark.parametrize("text", ['{"custom_id":"a"}\n', "one line and no end of it", "{"])
async def test_another_file_is_never_taken_for_a_journal(tmp_path: Path, text: str) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text(text + "x")
    with pytest.raises(BatchError, match="is not a journal"):
        await Journal(path).__aenter__()
    assert path.read_text() == text + "x"
