"""One job, from its creation to its results; the jobs of a split input act as one.

Contract: holds only ids, the last known state and the input. ``session.batches.job(batch_id)`` restores everything
else from the service, in any process.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Sequence
from contextlib import AsyncExitStack, aclosing, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from gradient_async._io.batch.input_file import InputFile
from gradient_async._io.batch.input_source import Source
from gradient_async._io.batch.journal_file import Journal
from gradient_async._io.batch.poller import JobProgress
from gradient_async._io.batch.threads import run_in_thread
from gradient_async._io.deadline_timer import get_loop
from gradient_async._protocol.batch.job_state import batch_failed_error, merge_batches, results_not_ready_error
from gradient_async._protocol.batch.poll_schedule import Poll
from gradient_async.errors import BatchError, ConfigurationError, ConflictError, GradientError, escape_text
from gradient_async.models._base import Displayed
from gradient_async.models.batch import Batch
from gradient_async.models.batch_result import BatchReport, BatchResult, ResultFile
from gradient_async.resources.batch.job_context import JobContext
from gradient_async.resources.batch.job_part import JobPart
from gradient_async.resources.batch.options import JournalOption, combine_callbacks, journal_of_retry
from gradient_async.resources.batch.report import (
    ResultFilter,
    build_batch_report,
    choose_ids,
    iterate_input,
    read_endpoint,
    select_lines,
    select_unanswered,
)
from gradient_async.resources.batch.result_download import ByteProgress, ResultSaver, SavedResults, resolve_targets
from gradient_async.resources.batch.result_reader import RowKey, iterate_saved, join_results
from gradient_async.resources.batch.result_stream import ResultFiles, ResultStream
from gradient_async.resources.progress_option import create_bars

if TYPE_CHECKING:
    from gradient_async.resources.progress_bars.base import ProgressBars

R = TypeVar("R")
DEFAULT_POLL = Poll()
_SHOWN_CHARS = 200
_SHORTEST_TIMEOUT = 0.001
"""Seconds for a call when no time remains; the call then ends with a timeout error."""


class BatchJob(Displayed):
    """A job at the service, or several jobs that a large input was split into.

    Properties show the last known state; `refresh`, `progress` and `wait` update it.
    """

    def __init__(self, context: JobContext, parts: Sequence[JobPart]) -> None:
        self._context, self._parts, self._calls = context, tuple(parts), context.calls
        self._look_requests = 1

    @property
    def batch_id(self) -> str:
        """The id; for a split input all ids, separated by commas. ``session.batches.job()`` accepts either."""
        return ",".join(self.batch_ids)

    @property
    def batch_ids(self) -> tuple[str, ...]:
        """The ids of the jobs at the service; more than one for a split input."""
        return tuple(part.batch_id for part in self._parts)

    @property
    def batch(self) -> Batch | None:
        """The last known state; None if it was never requested."""
        known = [part.batch for part in self._parts if part.batch is not None]
        return merge_batches(known) if len(known) == len(self._parts) else None

    def __repr__(self) -> str:
        batch = self.batch
        state = "status unknown" if batch is None else f"{batch.status}: {batch.request_counts}"
        return f"<BatchJob {escape_text(self.batch_id, _SHOWN_CHARS)}, {escape_text(state, _SHOWN_CHARS)}>"

    async def refresh(self, *, timeout: float | None = None) -> Batch:
        """Request the current state. A job that has ended is not requested again.

        Args:
            timeout: Seconds for the jobs of a split input together; by default the session's timeouts for each.

        Returns:
            The current state; for a split input the sum of its jobs.

        Raises:
            APIStatusError: The service refused; the class says why.
            APIConnectionError: No response arrived.
        """
        clock = get_loop().time
        deadline = None if timeout is None else clock() + timeout
        pending = [part for part in self._parts if part.batch is None or not part.batch.is_terminal]

        def remaining() -> float | None:
            return None if deadline is None else max(deadline - clock(), _SHORTEST_TIMEOUT)

        states, self._look_requests = await self._calls.retrieve_all([part.batch_id for part in pending], remaining)
        for part in pending:
            part.record_state(states[part.batch_id])
        return merge_batches([part.batch for part in self._parts if part.batch is not None])

    def progress(self, *, poll: Poll = DEFAULT_POLL, timeout: float | None = None) -> JobProgress[Batch]:
        """Iterate over the states of the job until it has ended, successfully or not.

        Args:
            poll: Bounds of the delay between two polls, in seconds.
            timeout: Seconds for all polls together; None for no limit.

        Returns:
            An async iterator over the first state, each change, and the final state.

        Raises:
            ConfigurationError: *timeout* is not a number.
        """

        async def fetch_state(remaining: float | None) -> Batch:
            return await self.refresh(timeout=remaining)

        return JobProgress(fetch_state, poll, timeout, count_requests=lambda: self._look_requests)

    async def wait(
        self,
        *,
        timeout: float | None = None,
        poll: Poll = DEFAULT_POLL,
        check: bool = True,
        progress: bool = False,
    ) -> Batch:
        """Wait until the job has ended.

        Args:
            timeout: Seconds in all; None for no limit.
            poll: Bounds of the delay between two polls, in seconds.
            check: Raise an error for a status other than ``completed``. Results may exist in either case.
            progress: Whether to show a progress bar: in a notebook, else on stderr, which needs rich or tqdm.

        Returns:
            The final state.

        Raises:
            BatchFailedError: The job failed, expired or was cancelled; the message quotes its first faults.
            APITimeoutError: The job did not end within *timeout*; it continues at the service.
            APIStatusError: The service refused a poll with an error that is not transient.
        """
        with create_bars(progress=progress) or nullcontext() as bars:
            return await self._watch(bars, timeout=timeout, poll=poll, check=check)

    async def _watch(
        self, bars: ProgressBars | None, *, timeout: float | None, poll: Poll = DEFAULT_POLL, check: bool = True
    ) -> Batch:
        """Wait until the job has ended, and show its states in *bars*."""
        async for state in self.progress(poll=poll, timeout=timeout):
            if bars is not None:
                bars.show_job(state)
        batch = self.batch
        assert batch is not None  # noqa: S101 - progress ends with the state of every part
        if check and batch.status != "completed":
            raise batch_failed_error(batch)
        return batch

    async def cancel(self, *, timeout: float | None = None) -> Batch:
        """Cancel the job. The results of requests that were processed by then stay available.

        Args:
            timeout: Seconds for each call; by default the session's timeouts.

        Returns:
            The state after the cancellation, usually ``cancelling``.

        Raises:
            ConflictError: The job has already ended, or the service refuses to cancel it.
        """
        refusals: list[tuple[JobPart, ConflictError]] = []
        for part in self._parts:
            try:
                part.record_state(await self._calls.cancel(part.batch_id, timeout))
            except ConflictError as error:
                refusals.append((part, error))
        batch = await self.refresh(timeout=timeout)
        for part, refusal in refusals:
            if len(refusals) == len(self._parts) or not (part.batch and part.batch.is_terminal):
                raise refusal
        return batch

    def results(self) -> ResultStream:
        """Stream the results: the output file, then the error sidecar, in no particular order within a file.

        Example::

            async for result in job.results():
                print(result.custom_id, result.text if result.ok else result.error)

        Returns:
            An async iterator over `BatchResult`, in constant memory. Its errors are raised by the iteration.
        """
        return ResultStream(self._locate_files)

    async def download(
        self,
        path: str | os.PathLike[str],
        *,
        errors: str | os.PathLike[str] | None = None,
        on_progress: ByteProgress | None = None,
        progress: bool = False,
    ) -> SavedResults:
        """Save the results to files, which appear only when they are complete.

        A lost connection resumes at its byte; with the job's journal a killed process does, too.

        Example::

            saved = await job.download("results.jsonl", errors="errors.jsonl")
            print(saved.size, saved.errors_size)

        Args:
            path: Path for the output file; an existing file is replaced.
            errors: Path for the error sidecar, which is empty if no request failed; None does not download it.
            on_progress: Called with the bytes saved and the size of the file in bytes.
            progress: Whether to show a progress bar: in a notebook, else on stderr, which needs rich or tqdm.

        Returns:
            The paths and sizes of the files.

        Raises:
            BatchNotReadyError: The job has not ended.
            BatchFailedError: The job ended without results.
            ConfigurationError: A file cannot be written, or two of the files, including the journal, are the same.
            UploadError: The storage host refused a file.
            APIConnectionError: Repeated connections brought no new byte.
            ProtocolError: A file changed while it was being read; download it again.
        """
        targets = await run_in_thread(partial(resolve_targets, path, errors, self._context.journal))
        sources = await self._locate_files()
        async with AsyncExitStack() as stack:
            if (bars := create_bars(progress=progress)) is not None:
                on_progress = combine_callbacks(on_progress, stack.enter_context(bars).show_download)
            journal, tag = None, uuid.uuid4().hex
            if self._context.journal is not None:
                journal = await stack.enter_async_context(Journal(self._context.journal))
                tag = self._parts[0].batch_id
            sizes: dict[ResultFile, int] = {}
            problems: list[GradientError] = []
            for name, target in targets.items():
                downloads = [partial(files.open_file, name) for files in sources]
                saver = ResultSaver(target, name, downloads, tag[:8], journal, on_progress)
                sizes[name] = await saver.save_file()
                problems += saver.problems
        return SavedResults(
            output=targets["output"],
            errors=targets.get("error"),
            size=sizes["output"],
            errors_size=sizes.get("error", 0),
            errors_problem=problems[0] if problems else None,
        )

    async def report(self, source: Source | None = None, *, saved: SavedResults | None = None) -> BatchReport:
        """Read all results and compare them with the input.

        Args:
            source: The input, for a job that was picked up by its id. Without an input no request counts as missing.
            saved: The results as `download` saved them, both files, to be read instead of downloading them again.

        Returns:
            The ids of succeeded, failed and missing requests, the error of each failed one, and the sums of tokens and
            finish reasons.

        Raises:
            BatchNotReadyError: The job has not ended.
            ConfigurationError: *source* has none of the requests that the results are of.
            GradientError: As the iteration over `results` does.
        """
        file = await self._open_input(source)
        if saved is None:
            return await self._build_report(file)
        batch = await self._find_batch()
        paths: dict[ResultFile, Path | None] = {"output": saved.output, "error": saved.errors}
        return await build_batch_report(iterate_saved(paths, self._context.find_endpoint(batch)), file)

    def joined(
        self, rows: Iterable[R] | AsyncIterable[R] | None = None, *, key: RowKey = "custom_id"
    ) -> AsyncGenerator[tuple[R, BatchResult], None]:
        """Iterate over rows, each with its result, in the order of the rows.

        Example::

            async for row, line in job.joined(rows, key="id"):
                print(row["question"], line.text if line.ok else line.error)

        Args:
            rows: The rows that the requests were made of: an iterable or async iterable of dicts or objects. By
                default the lines of the input, as dicts.
            key: The field of a row that has its ``custom_id``, or a function that returns it.

        Returns:
            An async iterator over pairs of a row and its result. The result of a row without one is not ``ok``, with
            the fault ``missing``. The results are kept in a temporary file meanwhile.

        Raises:
            ConfigurationError: A row has no *key*, or the input is not known here.
        """
        return join_results(self.results(), self._iterate_input() if rows is None else rows, key)

    async def _iterate_input(self) -> AsyncGenerator[Any, None]:
        """Yield the lines of the input as dicts."""
        file = await self._open_input(None)
        if file is None:
            raise ConfigurationError("The input of this job is not known here; pass its rows.")
        async with aclosing(iterate_input(file)) as lines:
            async for line in lines:
                yield line

    async def retry_failed(
        self,
        source: Source | None = None,
        *,
        where: ResultFilter | None = None,
        journal: JournalOption | None = None,
    ) -> BatchJob:
        """Submit a new job with the requests that failed or are missing; what has a response is not sent again.

        It has the options of this job except its request_id, file_name and journal. If this job was split, so is it.

        Example::

            again = await job.retry_failed()
            await again.wait()

        Args:
            source: The input, for a job that was picked up by its id.
            where: Takes the result of a failed or missing request; only if it returns true, the request is sent again.
                A missing request has no ``status`` and the fault ``missing``.
            journal: Path of a journal for the new job.

        Returns:
            The new job.

        Raises:
            BatchNotReadyError: The job has not ended.
            BatchError: Every request succeeded, or *where* takes none.
            ConfigurationError: The input is not known.
            GradientError: As `Batches.submit` does.
        """
        file = await self._open_input(source)
        if file is None:
            raise ConfigurationError("The input of this job is not known here; pass it as source=.")
        declined: set[str] = set()
        report = await self._build_report(file, where, declined)
        wanted = choose_ids(report, where, declined)
        if not wanted:
            is_filtered = bool(report.failed or report.missing)
            reason = "where= takes no failed request" if is_filtered else "Every request of the batch succeeded"
            raise BatchError(f"{reason}; there is nothing to retry.")
        batch, lines = await self._find_batch(), await select_lines(file, wanted)
        endpoint = self._context.find_endpoint(batch) or await read_endpoint(lines)
        fields = {"provider": batch.provider, "endpoint": endpoint, "metadata": batch.metadata}
        known = {name: value for name, value in fields.items() if value is not None}
        options = {
            **known,
            "split": len(self._parts) > 1,
            **self._context.options,
            "journal": journal_of_retry(journal, self.batch_id),
        }
        again = await self._context.submit(lines, **options)
        if again.batch_id == self.batch_id:
            raise ConfigurationError(
                "The journal is that of the job that is retried; pass another one for the new job."
            )
        return again

    async def _build_report(
        self, file: InputFile | None, where: ResultFilter | None = None, declined: set[str] | None = None
    ) -> BatchReport:
        """Compare all results with the input; refuse before the end, when pending requests would count as missing.

        Failed requests that *where* does not take are added to *declined*.
        """
        results = self.results()
        observed = results if declined is None else select_unanswered(results, where, declined)
        report = await build_batch_report(observed, file)
        if self.batch is None or not self.batch.is_terminal:
            raise results_not_ready_error(self.batch_id)
        return report

    async def _locate_files(self) -> list[ResultFiles]:
        """Return the results files of each job; raise only if every job ended without results."""
        await self.refresh()
        batches = [part.batch for part in self._parts if part.batch is not None]
        files = [ResultFiles(self._calls, batch, self._context.find_endpoint(batch)) for batch in batches]
        problems = [problem for each in files if (problem := await each.fetch_links()) is not None]
        if len(problems) == len(files):
            raise problems[0]
        return files

    async def _find_batch(self) -> Batch:
        """Return the last known state, or the current one if none is known."""
        return self.batch or await self.refresh()

    async def _open_input(self, source: Source | None) -> InputFile | None:
        """Return the input as a file, which is opened once; None if it is not known."""
        return await self._context.open_input(source, self._find_batch)
