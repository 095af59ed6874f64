"""``session.batches``: thousands of requests as one job, within a day and at a lower price.

Each step of a job alone, and `Batches.submit` and `Batches.run`, which take them all.

Source: the batch inference reference of April 2026.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Unpack
from urllib.parse import urlsplit

import attrs

from gradient_async._io.batch.input_file import CheckedInput, Source, check_input, open_input
from gradient_async._io.batch.journal_file import Journal
from gradient_async._io.batch.presigned_client import PresignedClient
from gradient_async._io.http.pipeline import Pipeline
from gradient_async._io.http.target import Target
from gradient_async._protocol.batch.api import AUTO, BatchLimits, Provider, build_create_body, resolve_endpoint
from gradient_async._protocol.batch.input_line import LineSchema
from gradient_async._protocol.batch.input_validator import InputValidator
from gradient_async._protocol.batch.poll_schedule import Poll
from gradient_async._protocol.batch.presigned import UrlPolicy
from gradient_async._protocol.batch.validation_report import InputPart, ValidationReport
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async.errors import ConfigurationError
from gradient_async.models.batch import Batch, BatchFile, ResultLinks
from gradient_async.resources.batch.client import BatchClient, Timeout
from gradient_async.resources.batch.job import DEFAULT_POLL, BatchJob, JobContext, JobPart
from gradient_async.resources.batch.listing import BatchList
from gradient_async.resources.batch.options import (
    DEFAULT_CONTENT_TYPE,
    DEFAULT_WINDOW,
    ResolvedOptions,
    StepCallback,
    SubmitOptions,
)
from gradient_async.resources.batch.submission import Submission

LIMITS = BatchLimits()


@attrs.define(eq=False)
class Batches:
    """``session.batches``."""

    _calls: BatchClient = attrs.field(repr=False)

    async def submit(self, source: Source, **options: Unpack[SubmitOptions]) -> BatchJob:
        """Validate an input, upload it and create its job.

        Args:
            source: A path, bytes, or an iterable of `BatchRequest` or dicts; packed with gzip or not.
            **options: As `SubmitOptions` describes.

        Raises:
            BatchValidationError: The input has faults; nothing was sent.
            ConfigurationError: The source or the journal cannot be used; nothing was sent.
            UploadError: The storage host refused the file.
            APIStatusError: The service refused; the class says how.
            APIConnectionError: No answer came. The job may exist: with the same ``request_id`` or the same
                journal, submitting again returns it.
        """
        given = ResolvedOptions(**options)
        checked = await self._checked(source, given)
        checked.report.raise_for_faults()
        async with _journal_at(given.journal) as journal:
            parts = await Submission(calls=self._calls, input=checked, options=given, journal=journal).run()
        path = None if given.journal is None else Path(given.journal)
        return BatchJob(JobContext(self._calls, self.submit, given.again(), checked.file, path), parts)

    async def run(
        self,
        source: Source,
        *,
        poll: Poll = DEFAULT_POLL,
        timeout: float | None = None,
        **options: Unpack[SubmitOptions],
    ) -> BatchJob:
        """Submit a job and return it when it is complete.

        With a journal, a process that was killed at any point goes on where it was when it does the same again.

        Args:
            source: As for `submit`.
            poll: How often to look at the job.
            timeout: Seconds to wait for its end; None for any time.
            **options: As `SubmitOptions` describes.

        Raises:
            BatchFailedError: The job failed, expired or was cancelled.
            APITimeoutError: It has not ended in time; it goes on at the service.
            GradientError: As `submit` does.
        """
        job = await self.submit(source, **options)
        await job.wait(poll=poll, timeout=timeout)
        return job

    def job(
        self,
        batch_id: str | Iterable[str],
        *,
        source: Source | None = None,
        journal: str | os.PathLike[str] | None = None,
    ) -> BatchJob:
        """Return a job that exists, without asking the service.

        Args:
            batch_id: Its id; several, or one string with commas, for a job that was split.
            source: Its input, for `BatchJob.report` and `BatchJob.retry_failed`.
            journal: A file by which an interrupted download goes on in another process.

        Raises:
            ConfigurationError: There is no id, or an empty one.
        """
        ids = [each.strip() for each in (batch_id.split(",") if isinstance(batch_id, str) else batch_id)]
        if not all(ids) or not ids:
            raise ConfigurationError(f"A job is picked up by its id, or by those of its parts; got {batch_id!r}.")
        context = JobContext(self._calls, self.submit, {}, source, None if journal is None else Path(journal))
        return BatchJob(context, [JobPart(each) for each in ids])

    async def validate(
        self,
        source: Source,
        *,
        provider: Provider = "openai",
        endpoint: str | None = AUTO,
        split: bool = False,
        limits: BatchLimits = LIMITS,
        on_step: StepCallback | None = None,
    ) -> ValidationReport:
        """Check every line of an input; nothing is sent.

        Returns:
            The faults, each as ``Line 42: missing required field 'custom_id'.``, and what the input would become.
        """
        given = ResolvedOptions(provider=provider, endpoint=endpoint, split=split, limits=limits, on_step=on_step)
        return (await self._checked(source, given)).report

    async def create_file(self, file_name: str, *, timeout: Timeout = None) -> BatchFile:
        """Announce an input file; its bytes go to the `upload` that follows within a quarter of an hour.

        Raises:
            BatchValidationError: The name does not end with ``.jsonl``.
        """
        return await self._calls.create_file(file_name, timeout)

    async def upload(
        self,
        file: BatchFile,
        source: Source,
        *,
        provider: Provider = "openai",
        endpoint: str | None = AUTO,
        content_type: str | None = DEFAULT_CONTENT_TYPE,
        on_progress: Callable[[int, int], object] | None = None,
    ) -> BatchFile:
        """Send the bytes of an announced file, as they are, without looking at them.

        Args:
            file: What `create_file` returned.
            source: A path, bytes, or an iterable of requests.
            provider: Whose form the lines get, if they are made of requests here.
            endpoint: What these lines name as their ``url``; the job's own, or None for lines that name it themselves.
            content_type: What the storage host is told; None tells it nothing.
            on_progress: Called with the bytes that have gone and the bytes of the file.

        Returns:
            The file that has the bytes now; another one than *file* if that one's address had expired. Create the
            job with its ``file_id``.

        Raises:
            UploadError: The storage host refused, also at two more addresses.
            APIConnectionError: No answer came.
        """
        data = await open_input(source, LineSchema(provider, resolve_endpoint(provider, endpoint)))
        watch = partial(_tell_size, on_progress, data.size) if on_progress is not None else None
        whole = InputPart(0, data.size, 0)
        return await self._calls.upload(file, data, whole, content_type=content_type, watch=watch)

    async def create(
        self,
        *,
        file_id: str,
        request_id: str | None = None,
        provider: Provider = "openai",
        endpoint: str | None = AUTO,
        completion_window: str = DEFAULT_WINDOW,
        metadata: Mapping[str, str] | None = None,
        timeout: Timeout = None,
    ) -> Batch:
        """Create the job of an uploaded file.

        Args:
            file_id: The one of the file that `upload` returned.
            request_id: The same value is the same job, however often it is sent; by default a new one.
            provider: Whose form the lines have.
            endpoint: What every request is sent to; None leaves it out.
            completion_window: The time the service takes at most.
            metadata: Strings to find the job by.
            timeout: Seconds for the call, or a `Timeouts`.

        Raises:
            APIStatusError: The service refused; the class says how.
            APIConnectionError: No answer came; the job may exist.
        """
        body = build_create_body(
            file_id=file_id,
            request_id=request_id or str(uuid.uuid4()),
            provider=provider,
            endpoint=resolve_endpoint(provider, endpoint),
            completion_window=completion_window,
            metadata=metadata,
        )
        return await self._calls.create(body, timeout)

    async def retrieve(self, batch_id: str, *, timeout: Timeout = None) -> Batch:
        """Return a job as it is now.

        Raises:
            NotFoundError: There is none with that id.
        """
        return await self._calls.retrieve(batch_id, timeout)

    def list(self, *, limit: int = 20, after: str | None = None, status: str | None = None) -> BatchList:
        """Iterate over all jobs, newest first, page by page as they are wanted.

        Args:
            limit: Jobs in a page, from 1 to 100.
            after: Where to begin: the ``after`` of an earlier iteration, or the id of a job.
            status: Only jobs with this status.
        """
        return BatchList(partial(self._calls.page, limit=limit, status=status), after, status)

    async def cancel(self, batch_id: str, *, timeout: Timeout = None) -> Batch:
        """Ask for a job's end and return how it is now; what is done by then stays available.

        Raises:
            ConflictError: It has ended already.
        """
        return await self._calls.cancel(batch_id, timeout)

    async def result_links(self, batch_id: str, *, timeout: Timeout = None) -> ResultLinks:
        """Return where the results of a job can be read, for a short time.

        Raises:
            BatchNotReadyError: There are none yet.
        """
        return await self._calls.result_links(batch_id, timeout)

    async def _checked(self, source: Source, options: ResolvedOptions) -> CheckedInput:
        schema = LineSchema(options.provider, options.endpoint)
        file = await open_input(source, schema, options.file_name)
        validator = InputValidator(schema, options.limits, options.split, digest=options.journal is not None)
        return await check_input(file, validator, partial(options.tell, "validate"))


def new_batches(
    pipeline: Pipeline, target: Callable[[], Target], timeouts: Timeouts, *, allow_insecure: bool
) -> Batches:
    """Return ``session.batches``, wired to a session's parts."""

    def urls() -> UrlPolicy:
        return UrlPolicy(urlsplit(target().base_url).hostname or "", allow_insecure)

    storage = PresignedClient(pipeline.transport, pipeline.retry, timeouts, urls)
    return Batches(BatchClient(pipeline, target, timeouts, storage))


def _journal_at(path: str | os.PathLike[str] | None) -> AbstractAsyncContextManager[Journal | None]:
    return nullcontext() if path is None else Journal(Path(path))


def _tell_size(watch: Callable[[int, int], object], total: int, done: int) -> None:
    watch(done, total)
