"""The results of a job held against its input.

Contract: memory for the ids, never for the answers.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from contextlib import aclosing

import anyio
import attrs

from gradient_async._io.batch.input_file import InputFile, TempInputWriter
from gradient_async._protocol.batch.input_line import read_custom_id, read_url
from gradient_async.errors import BatchFailedError
from gradient_async.models.batch import BatchFault
from gradient_async.models.batch_result import BatchReport, BatchResult, ResultFile
from gradient_async.resources.batch.result_stream import ResultStream


@attrs.define
class _Outcomes:
    """Who succeeded, why who failed, and which lines cannot be read."""

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


async def build_batch_report(results: ResultStream, file: InputFile | None) -> BatchReport:
    """Read all *results* and return what became of every request in *file*, if that is known."""
    outcomes = _Outcomes()
    try:
        async for result in results:
            outcomes.add(result)
    except BatchFailedError:
        pass  # there are no results: every request is missing
    missing: list[str] = []
    if file is not None:
        answered = outcomes.succeeded.keys() | outcomes.errors.keys()
        async for lines in file.lines():
            missing += await anyio.to_thread.run_sync(_missing, lines, answered)
    return BatchReport(
        succeeded=tuple(outcomes.succeeded),
        failed=tuple(outcomes.errors),
        missing=tuple(missing),
        malformed=tuple(outcomes.malformed),
        errors=outcomes.errors,
    )


async def select_lines(file: InputFile, wanted: Container[str]) -> InputFile:
    """Return a file of just the lines whose ids are *wanted*."""
    spool = await anyio.to_thread.run_sync(TempInputWriter, file.name)
    async for lines in file.lines():
        await anyio.to_thread.run_sync(_pick, lines, wanted, spool)
    return spool.file()


async def read_endpoint(file: InputFile) -> str | None:
    """Return what the first line of *file* is sent to, as all of a job are; None if it does not say."""
    async with aclosing(file.lines()) as blocks:
        async for lines in blocks:
            for line in lines:
                return read_url(line)
    return None


def _missing(lines: Iterable[bytes], answered: Container[str]) -> list[str]:
    return [found for line in lines if (found := read_custom_id(line)) is not None and found not in answered]


def _pick(lines: Iterable[bytes], wanted: Container[str], spool: TempInputWriter) -> None:
    spool.write(b"".join(line.rstrip(b"\r") + b"\n" for line in lines if read_custom_id(line) in wanted))
