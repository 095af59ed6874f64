"""One job, from its creation to its results; or several that a large input was split into, as one.

Contract: holds nothing but ids, the last known state and the input. Whatever is lost on the way can be had again
from the service with ``session.batches.job(batch_id)``, in any process.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import attrs

from gradient_async._io.batch.input_file import InputFile, Source, open_input
from gradient_async._io.batch.journal_file import Journal
from gradient_async._io.batch.poller import JobProgress
from gradient_async._protocol.batch.api import (
    AUTO,
    Provider,
    batch_failed_error,
    merge_batches,
    resolve_endpoint,
    results_not_ready_error,
)
from gradient_async._protocol.batch.input_line import LineSchema
from gradient_async._protocol.batch.poll_schedule import Poll
from gradient_async._protocol.batch.validation_report import InputPart
from gradient_async.errors import BatchError, ConfigurationError, ConflictError
from gradient_async.models.batch import Batch, BatchFault
from gradient_async.models.batch_result import BatchReport
from gradient_async.resources.batch.client import BatchClient
from gradient_async.resources.batch.report import build_batch_report, read_endpoint, select_lines
from gradient_async.resources.batch.result_download import (
    ResultSaver,
    SavedResults,
    Watcher,
    require_distinct_paths,
    resolve_targets,
)
from gradient_async.resources.batch.result_stream import ResultFiles, ResultStream

DEFAULT_POLL = Poll()
_SHORTEST_TIMEOUT = 0.001
"""Seconds for a call when none are left: it ends as one that took too long."""


@attrs.define
class JobPart:
    """One job of the service.

    Attributes:
        part: The lines of the input it is made of, if they are known.
        batch: The job as it was last seen.
    """

    batch_id: str
    part: InputPart | None = None
    batch: Batch | None = None

    def update(self, batch: Batch) -> None:
        """Note how the job is; line numbers become those of the whole input."""
        before = self.part.lines_before if self.part is not None else 0
        faults = [_moved(fault, before) for fault in batch.errors] if before else batch.errors
        self.batch = attrs.evolve(batch, errors=faults) if before else batch


def _moved(fault: BatchFault, lines: int) -> BatchFault:
    return fault if fault.line is None else attrs.evolve(fault, line=fault.line + lines)


@attrs.define(eq=False)
class JobContext:
    """What a job needs besides its ids.

    Attributes:
        submit: `Batches.submit`, for a new job like this one.
        options: What this one was submitted with; empty if that was elsewhere.
        input: The checked file, or what it can be made of; None if it is not known here.
    """

    calls: BatchClient
    submit: Callable[..., Awaitable[BatchJob]]
    options: Mapping[str, Any] = attrs.field(factory=dict)
    input: InputFile | Source | None = None
    journal: Path | None = None


class BatchJob:
    """A job. What it was when it was last looked at is in `batch`; nothing here changes by itself."""

    def __init__(self, context: JobContext, parts: Sequence[JobPart]) -> None:
        self._context, self._parts, self._calls = context, tuple(parts), context.calls

    @property
    def batch_id(self) -> str:
        """The id; of a job that was split, all ids with commas between. ``session.batches.job()`` takes either."""
        return ",".join(self.batch_ids)

    @property
    def batch_ids(self) -> tuple[str, ...]:
        """The ids of the jobs at the service; more than one if the input was split."""
        return tuple(part.batch_id for part in self._parts)

    @property
    def batch(self) -> Batch | None:
        """The job as it was last seen, None if it was not yet."""
        seen = [part.batch for part in self._parts if part.batch is not None]
        return merge_batches(seen) if len(seen) == len(self._parts) else None

    def __repr__(self) -> str:
        status = self.batch.status if self.batch is not None else "not looked at yet"
        return f"<BatchJob {self.batch_id}, {status}>"

    async def refresh(self, *, timeout: float | None = None) -> Batch:
        """Return the job as it is now; what has ended is not asked for again.

        Args:
            timeout: Seconds in all, however many parts there are; default: the session's, for each.

        Raises:
            APIStatusError: The service refused; the class says how.
            APIConnectionError: No answer came.
        """
        clock = asyncio.get_running_loop().time
        end = None if timeout is None else clock() + timeout
        for part in self._parts:
            if part.batch is None or not part.batch.is_terminal:
                left = None if end is None else max(end - clock(), _SHORTEST_TIMEOUT)
                part.update(await self._calls.retrieve(part.batch_id, left, priority="bulk"))
        return merge_batches([part.batch for part in self._parts if part.batch is not None])

    def progress(self, *, poll: Poll = DEFAULT_POLL, timeout: float | None = None) -> JobProgress[Batch]:
        """Iterate over the job each time that it has changed; ends at a terminal status, whichever it is.

        Args:
            poll: How often to look.
            timeout: Seconds in all; None for any time.
        """
        return JobProgress(self._look, poll, timeout)

    async def wait(self, *, timeout: float | None = None, poll: Poll = DEFAULT_POLL, check: bool = True) -> Batch:
        """Return the job when it has ended.

        Args:
            timeout: Seconds in all; None for any time.
            poll: How often to look.
            check: Whether an end other than ``completed`` is an error; its results, if any, can be had anyway.

        Raises:
            BatchFailedError: The job failed, expired or was cancelled; the message shows the first faults.
            APITimeoutError: It has not ended in time; it goes on at the service.
            APIStatusError: The service refuses to say anything about the job.
        """
        async for _ in self.progress(poll=poll, timeout=timeout):
            pass
        batch = self.batch
        assert batch is not None  # noqa: S101 - progress ends with a look at every part
        if check and batch.status != "completed":
            raise batch_failed_error(batch)
        return batch

    async def cancel(self, *, timeout: float | None = None) -> Batch:
        """Ask for the job's end; what is done by then stays available.

        Raises:
            ConflictError: It has ended already, or the service refuses to end it.
        """
        refused: list[tuple[JobPart, ConflictError]] = []
        for part in self._parts:
            try:
                part.update(await self._calls.cancel(part.batch_id, timeout))
            except ConflictError as error:
                refused.append((part, error))
        batch = await self.refresh(timeout=timeout)
        for part, refusal in refused:
            if len(refused) == len(self._parts) or not (part.batch and part.batch.is_terminal):
                raise refusal
        return batch

    def results(self) -> ResultStream:
        """Return the results as a stream: the output file, then the error sidecar; in no particular order."""
        return ResultStream(self._files)

    async def download(
        self,
        path: str | os.PathLike[str],
        *,
        errors: str | os.PathLike[str] | None = None,
        on_progress: Watcher | None = None,
    ) -> SavedResults:
        """Write the results to files, which appear when they are complete.

        Args:
            path: For the output.
            errors: For the error sidecar; it is empty if there is none. None leaves it at the service.
            on_progress: Called with the bytes that are there and the bytes of the file.

        Raises:
            BatchNotReadyError: The job is not at its end.
            BatchFailedError: It ended without results.
            ConfigurationError: A file cannot be written, or two of them, the journal among them, are one.
            UploadError: The storage host refuses a file.
        """
        targets = resolve_targets(path, errors)
        require_distinct_paths(journal=self._context.journal, path=path, errors=errors)
        sources = await self._files()
        async with AsyncExitStack() as stack:
            journal, tag = None, uuid.uuid4().hex
            if self._context.journal is not None:
                journal = await stack.enter_async_context(Journal(self._context.journal))
                tag = self._parts[0].batch_id
            savers = [ResultSaver(target, name, sources, tag[:8], journal, on_progress) for name, target in targets]
            sizes = [await saver.save() for saver in savers] + [0]
        return SavedResults(
            output=Path(path), errors=None if errors is None else Path(errors), size=sizes[0], errors_size=sizes[1]
        )

    async def report(self, source: Source | None = None) -> BatchReport:
        """Read all results and say what became of every request.

        Args:
            source: The input, of a job that was picked up by its id; without it no request is known to be missing.

        Raises:
            BatchNotReadyError: The job is not at its end.
        """
        return await self._report(await self._input(source))

    async def retry_failed(
        self, source: Source | None = None, *, journal: str | os.PathLike[str] | None = None
    ) -> BatchJob:
        """Submit a new job of just the requests that failed or are missing.

        Args:
            source: The input, of a job that was picked up by its id.
            journal: For the new job.

        Raises:
            BatchNotReadyError: The job is not at its end.
            BatchError: Every request succeeded.
            ConfigurationError: The input is not known.
        """
        file = await self._input(source)
        if file is None:
            raise ConfigurationError("The input of this job is not known here; pass it as source=.")
        report = await self._report(file)
        wanted = {*report.failed, *report.missing}
        if not wanted:
            raise BatchError("Every request of the batch succeeded; there is nothing to try again.")
        batch, lines = self.batch or await self.refresh(), await select_lines(file, wanted)
        endpoint = self._endpoint(batch) or await read_endpoint(lines)
        facts = {"provider": batch.provider, "endpoint": endpoint, "metadata": batch.metadata}
        known = {name: value for name, value in facts.items() if value is not None}
        options = {**known, **self._context.options, "journal": journal}
        return await self._context.submit(lines, **options)

    async def _report(self, file: InputFile | None) -> BatchReport:
        """Hold all results against the input; before the end, what is still to come would count as missing."""
        report = await build_batch_report(self.results(), file)
        if self.batch is None or not self.batch.is_terminal:
            raise results_not_ready_error(self.batch_id)
        return report

    async def _look(self, timeout: float | None) -> Batch:
        return await self.refresh(timeout=timeout)

    async def _files(self) -> list[ResultFiles]:
        """Return the files of every part; one that ended without any does not keep the others back."""
        await self.refresh()
        batches = [part.batch for part in self._parts if part.batch is not None]
        files = [ResultFiles(self._calls, batch, self._endpoint(batch)) for batch in batches]
        problems = [problem for each in files if (problem := await each.find()) is not None]
        if len(problems) == len(files):
            raise problems[0]
        return files

    def _endpoint(self, batch: Batch) -> str | None:
        """Return the endpoint of a job; the service has been seen to leave it out."""
        implied = resolve_endpoint(batch.provider, AUTO) if batch.provider == "anthropic" else None
        return batch.endpoint or self._context.options.get("endpoint") or implied

    async def _input(self, source: Source | None) -> InputFile | None:
        """Return the input as a file, opened once."""
        known = self._context.input if source is None else source
        if known is None or isinstance(known, InputFile):
            return known
        batch = self.batch or await self.refresh()
        provider: Provider = "anthropic" if batch.provider == "anthropic" else "openai"
        endpoint = self._endpoint(batch) or resolve_endpoint(provider, AUTO)
        self._context.input = await open_input(known, LineSchema(provider, endpoint))
        return self._context.input
