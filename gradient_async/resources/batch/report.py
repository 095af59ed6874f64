"""Compares the results of a job with its input.

Contract: memory for the ids, not for the response bodies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Container, Iterable
from contextlib import aclosing
from typing import Any

import anyio
import attrs

from gradient_async._io.batch.input_file import InputFile, TempInputWriter
from gradient_async._protocol.batch.input_line import read_custom_id, read_url
from gradient_async._protocol.batch.result_decoder import MALFORMED
from gradient_async._protocol.codec.json_text import decode_json, shorten_text
from gradient_async.errors import BatchFailedError, ConfigurationError
from gradient_async.models.batch import BatchFault
from gradient_async.models.batch_result import (
    AnyResponse,
    BatchReport,
    BatchResult,
    ResultFile,
    TokenTotals,
    missing_result,
)
from gradient_async.models.chat import ChatCompletion
from gradient_async.models.messages import MessageReply
from gradient_async.models.responses import ResponseReply

ResultFilter = Callable[[BatchResult], object]
"""Takes a result that is not ``ok``; a true value selects its request."""

_SHOWN_CHARS = 100


@attrs.define
class _ResultTally:
    """Ids by outcome. A success replaces an error with the same id, in whichever order they come."""

    succeeded: dict[str, None] = attrs.field(factory=dict)
    errors: dict[str, BatchFault] = attrs.field(factory=dict)
    malformed: list[tuple[ResultFile, int]] = attrs.field(factory=list)
    input_tokens: int = 0
    output_tokens: int = 0
    finish_reasons: Counter[str] = attrs.field(factory=Counter)

    def add(self, result: BatchResult) -> None:
        fault = result.error
        if fault is None:
            if result.custom_id not in self.succeeded:
                self._count_response(result.answer)
            self.succeeded[result.custom_id] = None
            self.errors.pop(result.custom_id, None)
        elif fault.code == MALFORMED:
            self.malformed.append((result.file, result.line))
        elif result.custom_id not in self.succeeded:
            self.errors[result.custom_id] = fault

    def _count_response(self, response: AnyResponse | None) -> None:
        consumed, generated = count_tokens(response)
        self.input_tokens += consumed
        self.output_tokens += generated
        if (reason := find_finish_reason(response)) is not None:
            self.finish_reasons[reason] += 1


def count_tokens(response: AnyResponse | None) -> tuple[int, int]:
    """Return the numbers of tokens of the prompt and of the *response*; zeros if they are not stated."""
    usage = getattr(response, "usage", None)
    consumed = getattr(usage, "input_tokens", None) or getattr(usage, "prompt_tokens", None)
    generated = getattr(usage, "output_tokens", None) or getattr(usage, "completion_tokens", None)
    return consumed or 0, generated or 0


def find_finish_reason(response: AnyResponse | None) -> str | None:
    """Return the reason why the model stopped; of the responses API the status."""
    if isinstance(response, ChatCompletion):
        return response.finish_reason
    if isinstance(response, MessageReply):
        return response.stop_reason
    return response.status if isinstance(response, ResponseReply) else None


async def build_batch_report(results: AsyncIterable[BatchResult], file: InputFile | None) -> BatchReport:
    """Read all *results* and compare them with the input *file*; without it, no request counts as missing.

    Raises:
        ConfigurationError: No result is of a request of *file*, which therefore is another job's input.
    """
    tally = _ResultTally()
    try:
        async for result in results:
            tally.add(result)
    except BatchFailedError:
        pass  # a job without results: every request is missing
    comparison = _Comparison(dict.fromkeys([*tally.succeeded, *tally.errors]))
    if file is not None:
        async for lines in file.iter_lines():
            await anyio.to_thread.run_sync(comparison.check_lines, lines)
        comparison.require_common_ids()
    foreign = {} if file is None else comparison.foreign
    return BatchReport(
        succeeded=tuple(each for each in tally.succeeded if each not in foreign),
        failed=tuple(each for each in tally.errors if each not in foreign),
        missing=tuple(comparison.missing),
        foreign=tuple(foreign),
        malformed=tuple(tally.malformed),
        errors={each: fault for each, fault in tally.errors.items() if each not in foreign},
        requests=None if file is None else comparison.requests,
        tokens=TokenTotals(tally.input_tokens, tally.output_tokens),
        finish_reasons=dict(tally.finish_reasons),
        problems=tuple(getattr(results, "problems", ())),
    )


@attrs.define
class _Comparison:
    """The ids of the results against those of the input.

    Attributes:
        foreign: The ids of results that no line of the input has had so far.
        missing: The ids of the input without a result.
        requests: Number of requests of the input.
    """

    foreign: dict[str, None]
    missing: list[str] = attrs.field(factory=list)
    requests: int = 0
    _found: frozenset[str] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._found = frozenset(self.foreign)

    def check_lines(self, lines: Iterable[bytes]) -> None:
        """Compare the ids of some lines of the input."""
        for custom_id in map(read_custom_id, lines):
            if custom_id is not None:
                self.requests += 1
                self.foreign.pop(custom_id, None)
                if custom_id not in self._found:
                    self.missing.append(custom_id)

    def require_common_ids(self) -> None:
        """Refuse an input that shares no id with the results."""
        if self._found and len(self.foreign) == len(self._found):
            first = shorten_text(next(iter(self.foreign)), _SHOWN_CHARS)
            raise ConfigurationError(
                f"The source is not the input of this job: none of its {self.requests} requests has a result. "
                f"The first result is of {first!r}; pass the input that the job was submitted with."
            )


async def select_unanswered(
    results: AsyncIterable[BatchResult], where: ResultFilter | None, declined: set[str]
) -> AsyncIterator[BatchResult]:
    """Yield all *results*; add the ids of failed ones that *where* does not take to *declined*."""
    async for result in results:
        if where is not None and not result.ok and not where(result):
            declined.add(result.custom_id)
        yield result


def choose_ids(report: BatchReport, where: ResultFilter | None, declined: Container[str]) -> set[str]:
    """Return the ids of the failed and missing requests that *where* takes."""
    failed = {each for each in report.failed if each not in declined}
    return failed | {each for each in report.missing if where is None or where(missing_result(each))}


async def select_lines(file: InputFile, ids: Container[str]) -> InputFile:
    """Return a new file with the lines of *file* that have one of *ids*."""
    writer = await anyio.to_thread.run_sync(TempInputWriter, file.name)
    async for lines in file.iter_lines():
        await anyio.to_thread.run_sync(_write_selected, lines, ids, writer)
    return writer.to_input_file()


async def iterate_input(file: InputFile) -> AsyncGenerator[Any, None]:
    """Yield the lines of *file* as dicts; blank lines are skipped."""
    async for lines in file.iter_lines():
        for line in lines:
            if line.strip():
                yield decode_json(line)


async def read_endpoint(file: InputFile) -> str | None:
    """Return the ``url`` of the first line of *file*, which all lines of a job share; None if it has none."""
    async with aclosing(file.iter_lines()) as blocks:
        async for lines in blocks:
            for line in lines:
                return read_url(line)
    return None


def _write_selected(lines: Iterable[bytes], ids: Container[str], writer: TempInputWriter) -> None:
    writer.write_block(b"".join(line.rstrip(b"\r") + b"\n" for line in lines if read_custom_id(line) in ids))
