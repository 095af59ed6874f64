"""Compares the results of a job with its input.

Contract: memory for the ids, not for the response bodies.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Container, Iterable
from contextlib import aclosing

import anyio
import attrs

from gradient_async._io.batch.input_file import InputFile, TempInputWriter
from gradient_async._protocol.batch.input_line import read_custom_id, read_url
from gradient_async.errors import BatchFailedError
from gradient_async.models.batch import BatchFault
from gradient_async.models.batch_result import BatchReport, BatchResult, ResultFile


@attrs.define
class _ResultTally:
    """Ids by outcome. A success replaces an error with the same id, in whichever order they come."""

    succeeded: dict[str, None] = attrs.field(factory=dict)
    errors: dict[str, BatchFault] = attrs.field(factory=dict)
    malformed: list[tuple[ResultFile, int]] = attrs.field(factory=list)

    def add(self, result: BatchResult) -> None:
        fault = result.error
        if fault is None:
            self.succeeded[result.custom_id] = None
            self.errors.pop(result.custom_id, None)
        elif fault.code == "malformed_line":
            self.malformed.append((result.file, result.line))
        elif result.custom_id not in self.succeeded:
            self.errors[result.custom_id] = fault


async def build_batch_report(results: AsyncIterable[BatchResult], file: InputFile | None) -> BatchReport:
    """Read all *results* and compare them with the input *file*; without it, no request counts as missing."""
    tally = _ResultTally()
    try:
        async for result in results:
            tally.add(result)
    except BatchFailedError:
        pass  # a job without results: every request is missing
    missing: list[str] = []
    if file is not None:
        found = tally.succeeded.keys() | tally.errors.keys()
        async for lines in file.iter_lines():
            missing += await anyio.to_thread.run_sync(_find_missing_ids, lines, found)
    return BatchReport(
        succeeded=tuple(tally.succeeded),
        failed=tuple(tally.errors),
        missing=tuple(missing),
        malformed=tuple(tally.malformed),
        errors=tally.errors,
    )


async def select_lines(file: InputFile, ids: Container[str]) -> InputFile:
    """Return a new file with the lines of *file* that have one of *ids*."""
    writer = await anyio.to_thread.run_sync(TempInputWriter, file.name)
    async for lines in file.iter_lines():
        await anyio.to_thread.run_sync(_write_selected, lines, ids, writer)
    return writer.to_input_file()


async def read_endpoint(file: InputFile) -> str | None:
    """Return the ``url`` of the first line of *file*, which all lines of a job share; None if it has none."""
    async with aclosing(file.iter_lines()) as blocks:
        async for lines in blocks:
            for line in lines:
                return read_url(line)
    return None


def _find_missing_ids(lines: Iterable[bytes], found: Container[str]) -> list[str]:
    ids = (read_custom_id(line) for line in lines)
    return [custom_id for custom_id in ids if custom_id is not None and custom_id not in found]


def _write_selected(lines: Iterable[bytes], ids: Container[str], writer: TempInputWriter) -> None:
    writer.write_block(b"".join(line.rstrip(b"\r") + b"\n" for line in lines if read_custom_id(line) in ids))
