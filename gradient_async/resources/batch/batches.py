"""``session.batches``: thousands of requests as one job, processed within a day at a lower price.

`Batches.submit` and `Batches.run` take all steps of a job; the other methods take one step each.

Source: the batch inference reference of April 2026.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack
from urllib.parse import urlsplit

import attrs

from gradient_async._io.batch.input_source import ByteProgress, CheckedInput, Source, check_input, open_input
from gradient_async._io.batch.journal_file import Journal
from gradient_async._io.batch.presigned_client import PresignedClient
from gradient_async._io.batch.threads import run_in_thread
from gradient_async._io.http.hooks import logger
from gradient_async._io.http.pipeline import Pipeline
from gradient_async._io.http.target import Target
from gradient_async._protocol.batch.api_requests import (
    AUTO,
    BatchLimits,
    EndpointOption,
    Provider,
    build_create_body,
    resolve_endpoint,
)
from gradient_async._protocol.batch.input_line import LineSchema
from gradient_async._protocol.batch.input_validator import InputValidator
from gradient_async._protocol.batch.journal_records import identify_job
from gradient_async._protocol.batch.poll_schedule import Poll
from gradient_async._protocol.batch.presigned import UrlPolicy
from gradient_async._protocol.batch.validation_report import FaultList, InputPart, ValidationReport
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async.errors import ConfigurationError, quote_argument
from gradient_async.models.batch import Batch, BatchFile, ResultLinks
from gradient_async.resources.batch.client import BatchClient, Timeout
from gradient_async.resources.batch.job import DEFAULT_POLL, BatchJob
from gradient_async.resources.batch.job_context import JobContext
from gradient_async.resources.batch.job_part import JobPart
from gradient_async.resources.batch.listing import BatchList
from gradient_async.resources.batch.options import (
    DEFAULT_CONTENT_TYPE,
    DEFAULT_WINDOW,
    JournalOption,
    ResolvedOptions,
    StepCallback,
    SubmitOptions,
    combine_callbacks,
)
from gradient_async.resources.batch.row_lines import CHAT_ENDPOINT, RowOptions, choose_rows
from gradient_async.resources.batch.submission import Submission
from gradient_async.resources.progress_option import create_bars
from gradient_async.resources.signatures import show_parameters

if TYPE_CHECKING:
    from gradient_async._protocol.sources.row_template import Template
    from gradient_async.models.map_progress import MapProgress
    from gradient_async.params.agent import MapParams
    from gradient_async.resources.batch.map import BatchMapResults

DEFAULT_LIMITS = BatchLimits()


@show_parameters
@attrs.define(eq=False)
class Batches:
    """``session.batches``."""

    _calls: BatchClient = attrs.field(repr=False)

    async def submit(self, source: Source, **options: Unpack[SubmitOptions]) -> BatchJob:
        """Validate an input, upload it and create its job.

        Example::

            job = await session.batches.submit("prompts.jsonl", endpoint="/v1/chat/completions")
            print(job.batch_id)

        Args:
            source: A path, bytes, an open file or stream, or an iterable or async iterable of `BatchRequest` or dicts;
                files and streams may be compressed. Tables, and with ``template``, ``columns`` or ``params`` any other
                rows, become requests.
            **options: As `SubmitOptions` describes.

        Returns:
            The job; for a split input one object for all its jobs.

        Raises:
            BatchValidationError: The input has faults; nothing was sent.
            ConfigurationError: The source or the journal cannot be used, or a row cannot be sent, which the error
                names; nothing was sent.
            UploadError: The storage host refused the file.
            APIStatusError: The service refused; the class says why.
            APIConnectionError: No response arrived. The job may exist: submitting again with the same
                ``request_id`` or the same journal returns it.
        """
        resolved = ResolvedOptions(**options)
        checked = await self._check_source(source, resolved)
        checked.report.raise_for_faults()
        for hint in checked.report.hints:
            logger.warning("the input of a batch may not be meant so: %s", hint)
        path = await run_in_thread(partial(resolved.find_journal, partial(self._identify_job, checked, resolved)))
        async with AsyncExitStack() as stack:
            journal = None if path is None else await stack.enter_async_context(Journal(path))
            submission = Submission(calls=self._calls, input=checked, options=resolved, journal=journal)
            parts = await submission.create_jobs()
        return BatchJob(JobContext(self._calls, self.submit, resolved.reusable_options(), checked.file, path), parts)

    async def run(
        self,
        source: Source,
        *,
        poll: Poll = DEFAULT_POLL,
        timeout: float | None = None,
        progress: bool = False,
        **options: Unpack[SubmitOptions],
    ) -> BatchJob:
        """Submit a job and wait until it is complete.

        With a journal, a process that was killed at any point resumes when the same call is made again, and never
        pays twice.

        Example::

            job = await session.batches.run("prompts.jsonl", journal="run.journal")
            await job.download("results.jsonl", errors="errors.jsonl")

        Args:
            source: As for `submit`.
            poll: Bounds of the delay between two polls, in seconds.
            timeout: Seconds to wait for the end of the job; None for no limit.
            progress: Whether to show progress bars: in a notebook, else on stderr, which needs rich or tqdm.
            **options: As `SubmitOptions` describes.

        Returns:
            The completed job.

        Raises:
            BatchFailedError: The job failed, expired or was cancelled.
            APITimeoutError: The job did not end within *timeout*; it continues at the service.
            GradientError: As `submit` does.
        """
        with create_bars(progress=progress) or nullcontext() as bars:
            if bars is not None:
                options["on_step"] = combine_callbacks(options.get("on_step"), bars.show_step)
            job = await self.submit(source, **options)
            await job._watch(bars, poll=poll, timeout=timeout)
        return job

    def map(
        self,
        requests: Any,
        *,
        template: Template | None = None,
        columns: Sequence[str] | None = None,
        journal: JournalOption | None = None,
        poll: Poll = DEFAULT_POLL,
        timeout: float | None = None,
        on_step: StepCallback | None = None,
        on_progress: Callable[[MapProgress], object] | None = None,
        progress: bool = False,
        **shared: Unpack[MapParams],
    ) -> BatchMapResults:
        """Send many chat requests as one job: ``async with ....map(requests) as results: async for result in results``.

        The items are those of ``chat.completions.map``, in the order of the requests. A request that failed, or that
        has no result, is a `MapResult` with an ``error``; its ``request`` is the body that was sent. ``len(results)``,
        ``results.progress`` and ``results.stop()`` are those of ``chat.completions.map``.

        Example::

            async with session.batches.map(prompts, model="openai-gpt-5.4-mini", journal="run.journal") as results:
                async for result in results:
                    print(result.index, result.text or result.error)

        Args:
            requests: As for ``chat.completions.map``. An ``id`` or ``custom_id`` becomes the ``custom_id``.
            template: As for ``chat.completions.map``.
            columns: As for ``chat.completions.map``.
            journal: As for `submit`: the same call in another process continues with the same job.
            poll: Bounds of the delay between two polls, in seconds.
            timeout: Seconds to wait for the end of the job; None for no limit.
            on_step: Called with a `BatchStep` after each step of the submission.
            on_progress: Receives a `MapProgress` after each change of the job, and at the end.
            progress: Whether to show a progress bar: in a notebook, else on stderr, which needs rich or tqdm.
            **shared: Parameters of every request; its own override them.

        Raises:
            ConfigurationError: *requests* is of another type, or an argument is invalid.
        """
        from gradient_async._io.sources.row_source import open_source
        from gradient_async.resources.batch.map import BatchMapResults

        source, bars = open_source(requests, columns), create_bars(progress=progress, has_times=False)

        async def submit() -> BatchJob:
            return await self.submit(
                source.rows,
                template=template,
                columns=columns,
                params=shared,
                endpoint=CHAT_ENDPOINT,
                split=True,
                journal=journal,
                on_step=on_step if bars is None else combine_callbacks(on_step, bars.show_step),
            )

        return BatchMapResults(source, submit, lambda job: job.progress(poll=poll, timeout=timeout), on_progress, bars)

    def job(
        self,
        batch_id: str | Iterable[str],
        *,
        source: Source | None = None,
        template: Template | None = None,
        columns: Sequence[str] | None = None,
        params: Mapping[str, Any] | None = None,
        journal: str | os.PathLike[str] | None = None,
    ) -> BatchJob:
        """Return an existing job by its id, without sending a request.

        Args:
            batch_id: The id of the job; for a split input its ids, as an iterable or separated by commas.
            source: The input of the job, for `BatchJob.report` and `BatchJob.retry_failed`.
            template: As for `submit`, for a source of rows.
            columns: As for `submit`, for a source of rows.
            params: As for `submit`, for a source of rows.
            journal: Path of a file by which an interrupted download resumes in another process.

        Raises:
            ConfigurationError: There is no id, or an empty one.
        """
        given: Any = batch_id.split(",") if isinstance(batch_id, str) else batch_id
        ids = [each.strip() if isinstance(each, str) else "" for each in given] if isinstance(given, Iterable) else []
        if not all(ids) or not ids:
            raise ConfigurationError(
                f"batch_id takes the id of a job, or the ids of its parts; got {quote_argument(batch_id)}."
            )
        context = JobContext(self._calls, self.submit, {}, source, None if journal is None else Path(journal))
        context.rows = RowOptions(template=template, columns=columns, params=params)
        return BatchJob(context, [JobPart(each) for each in ids])

    async def validate(
        self,
        source: Source,
        *,
        provider: Provider = "openai",
        endpoint: EndpointOption = AUTO,
        split: bool = False,
        limits: BatchLimits = DEFAULT_LIMITS,
        on_step: StepCallback | None = None,
        template: Template | None = None,
        columns: Sequence[str] | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> ValidationReport:
        """Check every line of an input locally, without sending a request.

        Args:
            source: As for `submit`.
            provider: The form of the lines.
            endpoint: The ``url`` that every line must have; None accepts any.
            split: Whether an input above *limits* may become several jobs; otherwise exceeding them is a fault.
            limits: The largest input of one job.
            on_step: Called with a `BatchStep` every few megabytes.
            template: As for `submit`.
            columns: As for `submit`.
            params: As for `submit`.

        Returns:
            The faults, each as ``Line 42: missing required field 'custom_id'.`` or ``Row 42 (id 'a') has nothing in
            the column 'text'.``, and the jobs the input would become.

        Raises:
            ConfigurationError: The source cannot be read.
        """
        options = ResolvedOptions(
            provider=provider,
            endpoint=endpoint,
            split=split,
            limits=limits,
            on_step=on_step,
            template=template,
            columns=columns,
            params=params,
        )
        return (await self._check_source(source, options, all_rows=True)).report

    async def create_file(self, file_name: str, *, timeout: Timeout = None) -> BatchFile:
        """Announce an input file; `upload` its bytes within 15 minutes.

        Args:
            file_name: A name that ends with ``.jsonl``.
            timeout: Seconds for the call, or a `Timeouts`.

        Returns:
            The file, with its id and its upload URL.

        Raises:
            BatchValidationError: The name does not end with ``.jsonl``; nothing was sent.
        """
        return await self._calls.create_file(file_name, timeout)

    async def upload(
        self,
        file: BatchFile,
        source: Source,
        *,
        provider: Provider = "openai",
        endpoint: EndpointOption = AUTO,
        content_type: str | None = DEFAULT_CONTENT_TYPE,
        on_progress: ByteProgress | None = None,
    ) -> BatchFile:
        """Upload the bytes of an announced file, without validating them.

        Args:
            file: The file that `create_file` returned.
            source: A path, bytes, or an iterable of requests.
            provider: The form of the lines, if they are encoded from requests.
            endpoint: The ``url`` of these lines; that of the job, or None for requests with their own ``url``.
            content_type: The ``Content-Type`` of the upload; None sends none. By default as for `submit`.
            on_progress: Called with the bytes sent and the size of the file in bytes.

        Returns:
            The file that holds the bytes; not *file* if its URL had expired. Create the job with its ``file_id``.

        Raises:
            UploadError: The storage host refused, also at two fresh URLs.
            APIConnectionError: No response arrived.
        """
        data = await open_input(source, LineSchema(provider, resolve_endpoint(provider, endpoint)))
        report_bytes = None if on_progress is None else lambda done: on_progress(done, data.size)
        whole = InputPart(0, data.size, 0)
        return await self._calls.upload(
            file, data, whole, file_name=data.name, content_type=content_type, on_progress=report_bytes
        )

    async def create(
        self,
        *,
        file_id: str,
        request_id: str | None = None,
        provider: Provider = "openai",
        endpoint: EndpointOption = AUTO,
        completion_window: str = DEFAULT_WINDOW,
        metadata: Mapping[str, str] | None = None,
        timeout: Timeout = None,
    ) -> Batch:
        """Create the job of an uploaded file.

        Args:
            file_id: The id of the file that `upload` returned.
            request_id: The idempotency key: the same value returns the same job. By default a new one.
            provider: The form of the lines.
            endpoint: The path that every request is sent to; None leaves it out.
            completion_window: The longest time the service may take.
            metadata: Strings stored with the job.
            timeout: Seconds for the call, or a `Timeouts`.

        Returns:
            The state of the new or existing job.

        Raises:
            APIStatusError: The service refused; the class says why.
            APIConnectionError: No response arrived; the job may exist.
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
        """Return the current state of a job.

        Raises:
            NotFoundError: No job has that id.
        """
        return await self._calls.retrieve_batch(batch_id, timeout)

    def list(self, *, limit: int = 20, after: str | None = None, status: str | None = None) -> BatchList:
        """Iterate over all jobs, newest first. Each page is requested when the previous one is used up.

        Args:
            limit: Jobs in a page, from 1 to 100.
            after: The cursor to start after: the ``after`` of an earlier iteration, or the id of a job.
            status: Only jobs with this status.
        """
        return BatchList(partial(self._calls.fetch_page, limit=limit, status=status), after, status)

    async def cancel(self, batch_id: str, *, timeout: Timeout = None) -> Batch:
        """Cancel a job and return its state. Results of requests that were processed by then stay available.

        Raises:
            ConflictError: The job has already ended.
        """
        return await self._calls.cancel(batch_id, timeout)

    async def result_links(self, batch_id: str, *, timeout: Timeout = None) -> ResultLinks:
        """Return presigned URLs of a job's results, which expire after a short time.

        Raises:
            BatchNotReadyError: The results are not available yet.
        """
        return await self._calls.result_links(batch_id, timeout)

    def _identify_job(self, checked: CheckedInput, options: ResolvedOptions) -> str:
        target = self._calls.target()
        return identify_job(
            digest=checked.report.digest or "",
            key=target.key,
            host=target.base_url,
            provider=options.provider,
            endpoint=options.endpoint,
        )

    async def _check_source(self, source: Source, options: ResolvedOptions, *, all_rows: bool = False) -> CheckedInput:
        """Open and check *source*; with *all_rows*, rows that cannot be sent are faults as any other."""
        schema = LineSchema(options.provider, options.endpoint)
        rows = choose_rows(source, options.rows, schema)
        unit = "Line" if rows is None else "Row"
        refusals = FaultList(unit)
        if rows is not None and all_rows:
            rows.refusals = refusals
        file = await open_input(source, schema, options.file_name, rows)
        validator = InputValidator(schema, options.limits, options.split, digest=options.journal is not None, unit=unit)
        return await check_input(file, validator, partial(options.report_step, "validate"), refusals)


def new_batches(
    pipeline: Pipeline, target: Callable[[], Target], timeouts: Timeouts, *, allow_insecure: bool
) -> Batches:
    """Build ``session.batches`` from the parts of a session."""

    def url_policy() -> UrlPolicy:
        return UrlPolicy(urlsplit(target().base_url).hostname or "", allow_insecure)

    storage = PresignedClient(pipeline.transport, pipeline.retry, timeouts, url_policy, pipeline.hooks)
    return Batches(BatchClient(pipeline, target, timeouts, storage))
