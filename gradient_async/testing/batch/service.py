"""The batch service: file intents, jobs, results.

Contract: answers are made at once, from the clock and from what the work has come to. The same ``request_id``
is the same job, whatever else the call says. An upload that was not completed is a 409. A job that failed has
no results, ever.
Source: the Batch Inference reference.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import count
from typing import Any

import attrs

from gradient_async.testing.batch.canned_model import Pool
from gradient_async.testing.batch.driver import Driver
from gradient_async.testing.batch.executor import Run
from gradient_async.testing.batch.job import Job
from gradient_async.testing.batch.lifecycle import Life, Pace
from gradient_async.testing.batch.lines import Anthropic, OpenAI, Outcome
from gradient_async.testing.batch.result_file import Sheet
from gradient_async.testing.batch.schema import check_create, check_file, check_list
from gradient_async.testing.batch.scripting import BatchVerbs
from gradient_async.testing.batch.wire_shapes import WINDOW, Captured, Links, Reference, Shape
from gradient_async.testing.batch.worker import Worker
from gradient_async.testing.endpoints.chat import Chat, Model
from gradient_async.testing.http.router import Endpoint
from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import Answer, Reply, error_answer, json_answer
from gradient_async.testing.timestamps import timestamp

_STEPPED = 1.0
"""Seconds of a job whose time passes only when it is told to; they show in its timestamps."""

_LARGE = 1000
"""Requests of a job that get the answer of the chat endpoint; the rest get one from the pool."""

_NOT_FOUND = "The resource you requested could not be found."
_NOT_READY = "Batch results are not yet available. Retry once the job has completed."


@attrs.define(kw_only=True, eq=False)
class Batches(BatchVerbs):
    """The endpoints, and what a test may look at.

    Attributes:
        model: What executes the requests.
        models: The slugs of the models that exist; None if all do.
        seed: Decides about the order of results.
        jobs: All jobs, oldest first.
        files: The names of the file intents, by file id.
    """

    model: Model = attrs.field(repr=False)
    models: Sequence[str] | None = attrs.field(default=None, repr=False)
    seed: int = 0
    jobs: list[Job] = attrs.field(factory=list, init=False)
    files: dict[str, str] = attrs.field(factory=dict, init=False)
    _worker: Worker = attrs.field(init=False, repr=False)
    _fast_worker: Worker = attrs.field(init=False, repr=False)
    _driver: Driver = attrs.field(factory=Driver, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        models = (self.model, Pool(self.model))
        self._worker, self._fast_worker = (Worker(Chat(model=model, known=self.models)) for model in models)

    def job(self, name: str) -> Job:
        """Return the job with this ``batch_id`` or ``request_id``."""
        return next(job for job in self.jobs if name in (job.id, job.request_id))

    def advance(self) -> None:
        """Let every job do its work and go on to its next status; half way through it, where it has a length."""
        for job in self.jobs:
            job.advance()

    async def settled(self) -> None:
        """Return when no job has work left; their clocks may still run."""
        await self._driver.settled()

    async def aclose(self) -> None:
        """Stop all work, and delete every file."""
        await self._driver.aclose()
        for job in self.jobs:
            job.run.close()
        self.storage.close()

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return the endpoints to mount."""
        one = "/v1/batches/{batch_id}"
        return (
            Endpoint(method="POST", path="/v1/batches/files", answer=self._intend, check=check_file),
            Endpoint(method="POST", path="/v1/batches", answer=self._create, check=self._check_create),
            Endpoint(method="GET", path="/v1/batches", answer=self._list, check=check_list),
            Endpoint(method="GET", path=one, answer=partial(self._on_job, self._retrieve)),
            Endpoint(method="GET", path=f"{one}/results", answer=partial(self._on_job, self._results)),
            Endpoint(method="POST", path=f"{one}/cancel", answer=partial(self._on_job, self._cancel)),
        )

    @property
    def _shape(self) -> Shape:
        return Captured() if self.shape == "captured" else Reference()

    def _intend(self, request: RecordedRequest, reply: Reply | None) -> Answer:
        file_id = str(uuid.uuid4())
        self.files[file_id] = request.fields["file_name"]
        url, expires = self.storage.link("PUT", _upload(file_id))
        body = {"file_id": file_id, "upload_url": url, "expires_at": timestamp(expires)}
        return _styled(json_answer(body, status=201), reply)

    def _check_create(self, request: RecordedRequest) -> Answer | None:
        return check_create(request, anthropic_endpoint=self.anthropic_endpoint)

    def _create(self, request: RecordedRequest, reply: Reply | None) -> Answer:
        fields = request.fields
        known = next((job for job in self.jobs if job.request_id == fields["request_id"]), None)
        if known is not None:
            return _styled(json_answer(self._view(known), status=self.replay_status), reply)
        if fields["file_id"] not in self.files:
            return error_answer(404, request_id=request.request_id, message=_NOT_FOUND)
        if _upload(fields["file_id"]) not in self.storage.objects:
            message = f"The upload of file {fields['file_id']} has not completed."
            return error_answer(409, request_id=request.request_id, message=message)
        job = self._new_job(fields)
        self.jobs.append(job)
        self._driver.start(job)
        return _styled(json_answer(self._view(job), status=201), reply)

    def _list(self, request: RecordedRequest, reply: Reply | None) -> Answer:
        newest_first = iter(reversed(self.jobs))
        if after := request.query.get("after"):
            newest_first = _after(newest_first, self._shape.cursor(after))
        jobs = [job for job in newest_first if request.query.get("status", job.status) == job.status]
        limit = int(request.query.get("limit", "20"))
        page = [job.view() for job in jobs[:limit]]
        return _styled(json_answer(self._shape.page(page, more=len(jobs) > limit)), reply)

    def _on_job(
        self, then: Callable[[Job, RecordedRequest], Answer], request: RecordedRequest, reply: Reply | None
    ) -> Answer:
        job = next((job for job in self.jobs if job.id == request.params["batch_id"]), None)
        if job is None:
            return error_answer(404, request_id=request.request_id, message=_NOT_FOUND)
        job.sync()
        return _styled(then(job, request), reply)

    def _retrieve(self, job: Job, _: RecordedRequest) -> Answer:
        shown = self._statuses.popleft() if self._statuses and not job.finished else None
        return json_answer(self._view(job, shown))

    def _results(self, job: Job, request: RecordedRequest) -> Answer:
        job.asks += job.finished
        if job.available and job.asks > self.late:
            return json_answer(self._shape.links(self._links(job)))
        if self.not_ready == "412":
            return error_answer(412, request_id=request.request_id, message=_NOT_READY)
        nothing = dict.fromkeys(("output_file_url", "error_file_url", "expires_at"))
        return json_answer({"batch_id": job.id, "result_available": False, **nothing})

    def _cancel(self, job: Job, request: RecordedRequest) -> Answer:
        if job.finished:
            message = f"The batch is {job.status} and cannot be cancelled."
            return error_answer(409, request_id=request.request_id, message=message)
        if job.status != "cancelling":
            job.cancel()
            self._driver.start(job)
        return json_answer(self._view(job))

    def _view(self, job: Job, status: str | None = None) -> dict[str, Any]:
        return self._shape.job(job.view(status))

    def _links(self, job: Job) -> Links:
        output, expires = self._publish(f"/outputs/{job.id}.jsonl", job.run.output)
        errors, _ = self._publish(f"/outputs/{job.id}_errors.jsonl", job.run.sidecar)
        return Links(
            batch_id=job.id,
            output_url=output if job.has_output else None,
            error_url=errors if job.has_errors else None,
            output_file_id=job.file_id("output"),
            expires_at=expires,
        )

    def _publish(self, path: str, sheet: Sheet) -> tuple[str, float]:
        if path not in self.storage.objects and sheet.size:
            self.storage.publish(path, sheet.path, sheet.size)
        return self.storage.link("GET", path)

    def _new_job(self, fields: Mapping[str, Any]) -> Job:
        seconds = _STEPPED if self.seconds is None else self.seconds
        queued = self.shape == "captured" if self.queued is None else self.queued
        life = Life(pace=Pace.of(seconds, queued=queued), instant=self.shape == "captured")
        life.share = self._shares.popleft() if self._shares else _share(life.pace, WINDOW / self.storage.time_scale)
        return Job(
            id=str(uuid.uuid4()),
            request=fields,
            created=self.storage.clock(),
            clock=self.storage.clock,
            stepped=self.seconds is None,
            life=life,
            run=self._new_run(fields, life.share),
        )

    def _new_run(self, fields: Mapping[str, Any], share: float) -> Run:
        dialect = OpenAI(fields["endpoint"]) if fields["provider"] == "openai" else Anthropic()
        numbers = count()

        def execute(request_id: str, custom_id: str, body: Any) -> Outcome | None:
            worker = self._worker if next(numbers) < _LARGE else self._fast_worker
            now = self.storage.clock()
            return self._outcome(custom_id, lambda: worker.answer(dialect.endpoint, body, request_id, now))

        output = Sheet(self.storage.new_file())
        return Run(
            source=self.storage.objects[_upload(fields["file_id"])].path,
            output=output,
            sidecar=output if self.shape == "captured" else Sheet(self.storage.new_file()),
            dialect=dialect,
            execute=execute,
            seed=f"{self.seed} {fields['request_id']}",
            most=self.max_requests,
            share=share,
        )


def _upload(file_id: str) -> str:
    return f"/inputs/{file_id}.jsonl"


def _styled(answer: Answer, reply: Reply | None) -> Answer:
    return reply.style(answer) if reply else answer


def _share(pace: Pace, window: float) -> float:
    """Return the share of the work for which *window* has room."""
    if pace.start + pace.working + pace.finalizing <= window:
        return 1.0
    return min(max((window - pace.start) / pace.working, 0.0), 0.99)


def _after(jobs: Iterator[Job], batch_id: str) -> Iterator[Job]:
    """Yield the jobs that follow the one with that id."""
    for job in jobs:
        if job.id == batch_id:
            yield from jobs
