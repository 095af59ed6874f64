"""The sources of a batch as files that can be read twice."""

from __future__ import annotations

import errno
import gzip
import os
import threading
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from gradient_async import (
    BatchError,
    BatchLimits,
    BatchRequest,
    ConfigurationError,
)
from gradient_async._io.batch import input_file
from gradient_async._io.batch.input_file import STEP_BYTES
from gradient_async._protocol.batch.input_validator import InputValidator
from gradient_async.testing import Emulator
from tests.support.batches import CHAT, TWO_LINES, NewSession, body, jsonl, line, requests


async def test_lists_of_requests_and_async_iterables_are_sources(
    gradient_emulator: Emulator, new_session: NewSession
) -> None:
    async def request_source() -> AsyncIterator[BatchRequest]:
        for request in requests(3):
            yield request

    sources: list[Any] = [
        request_source(),
        list(requests(3)),
        [line("r0"), {"custom_id": "r1", "body": body()}, *requests(0)],
    ]
    async with new_session() as session:
        for source in sources:
            await session.batches.submit(source, endpoint=CHAT)
    assert len(gradient_emulator.batches.jobs) == 3


@pytest.mark.parametrize("packed", [False, True])
async def test_paths_and_bytes_are_sources_compressed_or_not(
    gradient_emulator: Emulator, new_session: NewSession, tmp_path: Path, packed: bool
) -> None:
    data = gzip.compress(TWO_LINES) if packed else TWO_LINES
    path = tmp_path / "in.jsonl"
    path.write_bytes(data)
    async with new_session() as session:
        for source in (path, str(path), data):
            await session.batches.upload(await session.batches.create_file("in.jsonl"), source)
    assert [put.received for put in gradient_emulator.storage.requests] == [len(TWO_LINES)] * 3


async def test_an_input_that_changes_during_the_upload_raises(new_session: NewSession, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(b"x" * 8_000_000)
    async with new_session() as session:
        file = await session.batches.create_file("in.jsonl")
        with pytest.raises(BatchError, match="changed"):
            await session.batches.upload(file, path, on_progress=lambda done, _: done and path.write_bytes(b"y"))


@pytest.mark.parametrize("source", [5, {"custom_id": "a"}, None, "no/such/file.jsonl", "."])
async def test_a_source_that_cannot_be_read_raises_a_configuration_error(new_session: NewSession, source: Any) -> None:
    async with new_session() as session:
        with pytest.raises(ConfigurationError):
            await session.batches.submit(source)


async def test_an_input_passed_as_a_path_is_shortened_in_the_error(new_session: NewSession) -> None:
    async with new_session() as session:
        with pytest.raises(ConfigurationError) as caught:
            await session.batches.submit(jsonl(line("a", body=body("secret " * 100))).decode())
    assert len(str(caught.value)) < 300


async def test_a_file_opened_by_gzip_is_uploaded_whole(
    gradient_emulator: Emulator, new_session: NewSession, tmp_path: Path
) -> None:
    path = tmp_path / "in.jsonl.gz"
    data = jsonl(*[line(str(number)) for number in range(200)])
    path.write_bytes(gzip.compress(data))
    with gzip.open(path) as source:
        async with new_session() as session:
            await session.batches.submit(source)
    (upload,) = gradient_emulator.storage.requests
    assert upload.received == len(data)


async def test_a_damaged_gzip_file_raises_a_configuration_error(new_session: NewSession) -> None:
    async with new_session() as session:
        with pytest.raises(ConfigurationError, match="cannot be decompressed"):
            await session.batches.submit(gzip.compress(TWO_LINES)[:-9])


async def test_a_large_input_is_checked_in_a_thread_in_small_steps(
    new_session: NewSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large.jsonl"
    with path.open("wb") as file:
        for number in range(40):
            file.write(jsonl(*[line(f"{number}-{place}", pad="x" * 900) for place in range(1000)]))
    feed, threads = InputValidator.feed, set[int]()

    def record_thread(validator: InputValidator, block: bytes) -> None:
        threads.add(threading.get_ident())
        feed(validator, block)

    monkeypatch.setattr(InputValidator, "feed", record_thread)
    steps: list[int] = []
    async with new_session() as session:
        report = await session.batches.validate(
            path, limits=BatchLimits(size=10**9), on_step=lambda step: steps.append(step.done)
        )
    assert report.requests == 40_000
    assert threads
    assert threading.get_ident() not in threads
    assert max(later - earlier for earlier, later in pairwise([0, *steps])) <= STEP_BYTES


async def test_a_pipe_is_a_source(new_session: NewSession) -> None:
    read, write = os.pipe()
    os.write(write, TWO_LINES)
    os.close(write)
    async with new_session() as session:
        report = await session.batches.validate(f"/dev/fd/{read}")
    os.close(read)
    assert report.requests == 2


async def test_a_generator_of_requests_is_a_source(new_session: NewSession) -> None:
    async with new_session() as session:
        report = await session.batches.validate(requests(2000))
    assert (report.requests, report.ok) == (2000, True)


async def test_a_full_disk_for_the_temporary_copy_is_an_error_with_advice(
    gradient_emulator: Emulator, new_session: NewSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse_bytes(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(input_file, "write_all", refuse_bytes)
    async with new_session() as session:
        with pytest.raises(BatchError, match=r"No space left on device, after 0 bytes.*TMPDIR"):
            await session.batches.submit(requests(3))
    assert not gradient_emulator.requests
