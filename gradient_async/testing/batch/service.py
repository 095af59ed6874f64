"""The batch service: file intents, jobs and results.

Contract: a response follows from the clock and the progress of the execution; nothing waits. A key sees the files and
jobs that it made, and no others. A known ``request_id`` returns its job, without regard to the other fields. A
job whose upload is incomplete is a 409. A failed job never has results.
Source: the Batch Inference reference.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import count
from typing import Any

import attrs

from gradient_async.testing.batch.canned_model import CannedModel
from gradient_async.testing.batch.driver import JobDriver
from gradient_async.testing.batch.executor import BatchExecution
from gradient_async.testing.batch.job import BatchJob
from gradient_async.testing.batch.lifecycle import JobLifecycle, JobTiming
from gradient_async.testing.batch.lines import AnthropicLines, OpenAILines, Outcome
from gradient_async.testing.batch.result_file import ResultFile
from gradient_async.testing.batch.schema import check_file_request, check_job_request, check_list_query
from gradient_async.testing.batch.scripting import BatchScriptingAPI
from gradient_async.testing.batch.wire_shapes import WINDOW, CapturedShape, ReferenceShape, ResultLinks, WireShape
from gradient_async.testing.batch.worker import LineWorker
from gradient_async.testing.endpoints.chat import ChatEndpoint
from gradient_async.testing.endpoints.responses import ResponsesEndpoint
from gradient_async.testing.endpoints.text_generation import LanguageModel
from gradient_async.testing.http.router import Endpoint
from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import Reply, Response, apply_reply, error_response, json_response
from gradient_async.testing.timestamps import format_timestamp

_STEPPED_SECONDS = 1.0
"""The duration of a job that is stepped with `advance`; visible in its timestamps."""

_MODEL_REQUESTS = 1000
"""The number of requests of a job that the model executes; the rest is for the canned model."""

_NOT_FOUND = "The resource you requested could not be found."
_NOT_READY = "Batch results are not yet available. Retry once the job has completed."


@attrs.define(kw_only=True, eq=False)
class BatchService(BatchScriptingAPI):
    """The batch endpoints and their jobs.

    Attributes:
        model: The model that executes the requests.
        models: The slugs of the existing models; None if every model exists.
        seed: The seed of the order of results.
        jobs: All jobs, oldest first.
        files: The names of the file intents by file id.
    """

    model: LanguageModel = attrs.field(repr=False)
    models: Sequence[str] | None = attrs.field(default=None, repr=False)
    seed: int = 0
    jobs: list[BatchJob] = attrs.field(factory=list, init=False)
    files: dict[str, str] = attrs.field(factory=dict, init=False)
    _file_keys: dict[str, str] = attrs.field(factory=dict, init=False, repr=False)
    _worker: LineWorker = attrs.field(init=False, repr=False)
    _fast_worker: LineWorker = attrs.field(init=False, repr=False)
    _driver: JobDriver = attrs.field(factory=JobDriver, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._worker, self._fast_worker = map(self._new_worker, (self.model, CannedModel(self.model)))

    def job(self, name: str) -> BatchJob:
        """Return the job with the ``batch_id`` or ``request_id`` *name*.

        Raises:
            StopIteration: No job has this id.
        """
        return next(job for job in self.jobs if name in (job.id, job.request_id))

    def advance(self) -> None:
        """Execute every job and advance it to the middle of its next status.

        Example: with ``Emulator(batch_seconds=None)`` a job is ``validating``, and after each call ``in_progress``,
        ``finalizing``, ``completed``.
        """
        for job in self.jobs:
            job.advance()

    async def settled(self) -> None:
        """Wait until every job is executed; its status may still be waiting for the clock.

        Example: ``await gradient.batches.settled()`` before an assertion on ``gradient.batches.jobs``.
        """
        await self._driver.wait_idle()

    async def aclose(self) -> None:
        """Stop the execution of all jobs and delete all files."""
        await self._driver.aclose()
        for job in self.jobs:
            job.execution.close_files()
        self.storage.delete_files()

    def build_endpoints(self) -> tuple[Endpoint, ...]:
        """Return the endpoints for the router."""
        files, jobs, one = "/v1/batches/files", "/v1/batches", "/v1/batches/{batch_id}"
        return (
            Endpoint(method="POST", path=files, respond=self._create_file_intent, check=check_file_request),
            Endpoint(method="POST", path=jobs, respond=self._create_job, check=self._check_create),
            Endpoint(method="GET", path=jobs, respond=self._list_jobs, check=check_list_query),
            Endpoint(method="GET", path=one, respond=partial(self._handle_job, self._retrieve_job)),
            Endpoint(method="GET", path=f"{one}/results", respond=partial(self._handle_job, self._link_results)),
            Endpoint(method="POST", path=f"{one}/cancel", respond=partial(self._handle_job, self._cancel_job)),
        )

    @property
    def _shape(self) -> WireShape:
        return CapturedShape() if self.shape == "captured" else ReferenceShape()

    def _create_file_intent(self, request: RecordedRequest, reply: Reply | None) -> Response:
        file_id = str(uuid.uuid4())
        self.files[file_id] = request.fields["file_name"]
        self._file_keys[file_id] = request.key
        url, expires = self.storage.create_url("PUT", _upload_path(file_id))
        body = {"file_id": file_id, "upload_url": url, "expires_at": format_timestamp(expires)}
        return apply_reply(reply, json_response(body, status=201))

    def _check_create(self, request: RecordedRequest) -> Response | None:
        return check_job_request(request, anthropic_endpoint=self.anthropic_endpoint)

    def _create_job(self, request: RecordedRequest, reply: Reply | None) -> Response:
        fields = request.fields
        known = next((job for job in self._jobs_of(request) if job.request_id == fields["request_id"]), None)
        if known is not None:
            return apply_reply(reply, json_response(self._job_json(known), status=self.replay_status))
        if self._file_keys.get(fields["file_id"]) != request.key:
            return error_response(404, request_id=request.request_id, message=_NOT_FOUND)
        if _upload_path(fields["file_id"]) not in self.storage.objects:
            message = f"The upload of file {fields['file_id']} has not completed."
            return error_response(409, request_id=request.request_id, message=message)
        job = self._new_job(fields, request.key)
        self.jobs.append(job)
        self._driver.start_job(job)
        return apply_reply(reply, json_response(self._job_json(job), status=201))

    def _list_jobs(self, request: RecordedRequest, reply: Reply | None) -> Response:
        newest_first = iter(reversed(self._jobs_of(request)))
        if after := request.query.get("after"):
            newest_first = _skip_past(newest_first, self._shape.parse_cursor(after))
        status = request.query.get("status")
        jobs = [job for job in newest_first if status is None or job.status == status]
        limit = int(request.query.get("limit", "20"))
        page = [job.take_snapshot() for job in jobs[:limit]]
        return apply_reply(reply, json_response(self._shape.format_page(page, more=len(jobs) > limit)))

    def _handle_job(
        self, respond: Callable[[BatchJob, RecordedRequest], Response], request: RecordedRequest, reply: Reply | None
    ) -> Response:
        job = next((job for job in self._jobs_of(request) if job.id == request.params["batch_id"]), None)
        if job is None:
            return error_response(404, request_id=request.request_id, message=_NOT_FOUND)
        job.update_lifecycle()
        return apply_reply(reply, respond(job, request))

    def _jobs_of(self, request: RecordedRequest) -> list[BatchJob]:
        return [job for job in self.jobs if job.key == request.key]

    def _retrieve_job(self, job: BatchJob, _: RecordedRequest) -> Response:
        scripted = self._statuses.popleft() if self._statuses and not job.finished else None
        return json_response(self._job_json(job, scripted))

    def _link_results(self, job: BatchJob, request: RecordedRequest) -> Response:
        job.asks += job.finished
        if job.available and job.asks > self.late:
            return json_response(self._shape.format_links(self._publish_results(job)))
        if self.not_ready == "412":
            return error_response(412, request_id=request.request_id, message=_NOT_READY)
        no_links = dict.fromkeys(("output_file_url", "error_file_url", "expires_at"))
        return json_response({"batch_id": job.id, "result_available": False, **no_links})

    def _cancel_job(self, job: BatchJob, request: RecordedRequest) -> Response:
        if job.finished:
            message = f"The batch is {job.status} and cannot be cancelled."
            return error_response(409, request_id=request.request_id, message=message)
        if job.status != "cancelling":
            job.cancel()
            self._driver.start_job(job)
        return json_response(self._job_json(job))

    def _job_json(self, job: BatchJob, status: str | None = None) -> dict[str, Any]:
        return self._shape.format_job(job.take_snapshot(status))

    def _publish_results(self, job: BatchJob) -> ResultLinks:
        output, expires = self._link_file(f"/outputs/{job.id}.jsonl", job.execution.output)
        errors, _ = self._link_file(f"/outputs/{job.id}_errors.jsonl", job.execution.sidecar)
        return ResultLinks(
            batch_id=job.id,
            output_url=output if job.has_output else None,
            error_url=errors if job.has_errors else None,
            output_file_id=job.file_id("output"),
            expires_at=expires,
        )

    def _link_file(self, path: str, file: ResultFile) -> tuple[str, float]:
        """Publish a result file unless it is empty; return a URL for *path* and its expiry in epoch seconds."""
        if path not in self.storage.objects and file.size:
            self.storage.publish(path, file.path, file.size)
        return self.storage.create_url("GET", path)

    def _new_worker(self, model: LanguageModel) -> LineWorker:
        chat = ChatEndpoint(model=model, known=self.models)
        return LineWorker(chat, ResponsesEndpoint(model=model, known=self.models))

    def _new_job(self, fields: Mapping[str, Any], key: str) -> BatchJob:
        seconds = _STEPPED_SECONDS if self.seconds is None else self.seconds
        queued = self.shape == "captured" if self.queued is None else self.queued
        timing = JobTiming.from_total(seconds, queued=queued)
        share = self._shares.popleft() if self._shares else _window_share(timing, WINDOW / self.storage.time_scale)
        return BatchJob(
            id=str(uuid.uuid4()),
            key=key,
            request=fields,
            created=self.storage.clock(),
            clock=self.storage.clock,
            stepped=self.seconds is None,
            lifecycle=JobLifecycle(timing=timing, work_share=share, cancels_instantly=self.shape == "captured"),
            execution=self._new_execution(fields, share),
        )

    def _new_execution(self, fields: Mapping[str, Any], share: float) -> BatchExecution:
        line_format = OpenAILines(fields["endpoint"]) if fields["provider"] == "openai" else AnthropicLines()
        numbers = count()

        def execute(request_id: str, custom_id: str, body: Any) -> Outcome | None:
            worker = self._worker if next(numbers) < _MODEL_REQUESTS else self._fast_worker
            endpoint, now = line_format.endpoint, self.storage.clock()
            return self._execute_scripted(custom_id, lambda: worker.execute_request(endpoint, body, request_id, now))

        output = ResultFile(self.storage.new_file())
        return BatchExecution(
            source=self.storage.objects[_upload_path(fields["file_id"])].path,
            output=output,
            sidecar=output if self.shape == "captured" else ResultFile(self.storage.new_file()),
            line_format=line_format,
            execute=execute,
            seed=f"{self.seed} {fields['request_id']}",
            max_requests=self.max_requests,
            share=share,
        )


def _upload_path(file_id: str) -> str:
    return f"/inputs/{file_id}.jsonl"


def _window_share(timing: JobTiming, window: float) -> float:
    """Return the share of the requests that fit into *window* seconds; 1.0 if the job ends in time."""
    if timing.work_start + timing.working + timing.finalizing <= window:
        return 1.0
    return min(max((window - timing.work_start) / timing.working, 0.0), 0.99)


def _skip_past(jobs: Iterator[BatchJob], batch_id: str) -> Iterator[BatchJob]:
    """Yield the jobs after the one with *batch_id*; none for an unknown id."""
    for job in jobs:
        if job.id == batch_id:
            yield from jobs
