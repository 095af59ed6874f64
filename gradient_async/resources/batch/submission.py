"""Submits a checked input: announce, upload and create each job; with a journal, each step once across processes.

Contract: nothing is sent before the whole input was found valid. The ``request_id`` of a job is chosen, and with a
journal on disk, before its creation is requested: repeating the request does not create a second job.

`gradient_async._protocol.batch.journal_records` lists the records and the steps of a restart.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import attrs

from gradient_async._io.batch.input_source import CheckedInput
from gradient_async._io.batch.journal_file import Journal
from gradient_async._io.http.hooks import logger
from gradient_async._protocol.batch.api_requests import build_create_body
from gradient_async._protocol.batch.api_responses import is_file_gone
from gradient_async._protocol.batch.journal_records import JournalHeader, PartState, fingerprint_key, other_job_error
from gradient_async._protocol.batch.validation_report import InputPart
from gradient_async.errors import APIStatusError, BatchError, GradientError
from gradient_async.models.batch import Batch
from gradient_async.resources.batch.client import BatchClient
from gradient_async.resources.batch.job_part import JobPart
from gradient_async.resources.batch.options import ResolvedOptions


@attrs.define(eq=False, kw_only=True)
class Submission:
    """Submits one checked input as one or several jobs."""

    calls: BatchClient
    input: CheckedInput
    options: ResolvedOptions
    journal: Journal | None
    _uploaded_bytes: int = attrs.field(default=0, init=False)

    async def create_jobs(self) -> list[JobPart]:
        """Return the jobs; those with a ``create`` record in the journal are not created again."""
        parts = await self._settle_parts()
        jobs: list[JobPart] = []
        try:
            for number, part in enumerate(parts):
                jobs.append(await self._create_job(number, part))
                self.options.report_step("submit", len(jobs), len(parts))
        except GradientError as error:
            if jobs and self.journal is None:
                error.add_note(f"Of the split input these jobs were created: {', '.join(j.batch_id for j in jobs)}")
            raise
        return jobs

    async def _settle_parts(self) -> tuple[InputPart, ...]:
        """Return the parts of the input: those in the journal's header, which a journal without a job gets first."""
        report, journal, target = self.input.report, self.journal, self.calls.target()
        if journal is None:
            return report.parts
        header = journal.state.header
        difference = header and header.find_difference(
            key=target.key,
            host=target.base_url,
            report=report,
            provider=self.options.provider,
            endpoint=self.options.endpoint,
        )
        if difference and not journal.state.is_unused:
            raise other_job_error(os.fspath(journal.path), difference, journal.state.batch_ids)
        if header is None or difference:
            header = journal.state.header = self._new_header(target.key, target.base_url)
            await journal.append_encoded(header.encode_begin())
        return header.parts

    def _new_header(self, key: str, host: str) -> JournalHeader:
        salt = uuid.uuid4().hex
        return JournalHeader(
            salt=salt,
            account=fingerprint_key(key, salt),
            host=host,
            digest=self.input.report.digest or "",
            provider=self.options.provider,
            endpoint=self.options.endpoint,
            parts=self.input.report.parts,
        )

    async def _create_job(self, number: int, part: InputPart) -> JobPart:
        state = self.journal.state.part_state(number) if self.journal is not None else PartState()
        if state.batch_id is not None:
            return JobPart(state.batch_id, part)
        uploaded_before = state.file_id is not None
        if state.file_id is None:
            await self._store_part(number, part, state)
        try:
            batch = await self._request_job(number, state)
        except APIStatusError as error:
            refusal = error
        else:
            return await self._record_job(number, part, batch)
        if not uploaded_before or not is_file_gone(refusal, state.file_id or ""):
            raise refusal
        return await self._record_job(number, part, await self._renew_job(number, part, state))

    async def _store_part(self, number: int, part: InputPart, state: PartState) -> None:
        state.file_id = await self._upload_part(number, part)
        await self._append_record("upload", part=number, file_id=state.file_id)

    async def _request_job(self, number: int, state: PartState) -> Batch:
        body = self._build_body(number, state.file_id or "", state.body or {})
        if body != state.body:
            state.body = body
            await self._append_record("submit", part=number, body=body)
        logger.info("creating a batch job under request_id %s", body["request_id"])
        return await self.calls.create(body)

    async def _renew_job(self, number: int, part: InputPart, state: PartState) -> Batch:
        """Upload a part whose file the service has deleted once more, unless its job exists; return the job."""
        found = await self.calls.find_by_request_id(str((state.body or {})["request_id"]))
        if found is not None:
            return found
        logger.info("the file %s is gone; uploading it again", state.file_id)
        await self._store_part(number, part, state)
        return await self._request_job(number, state)

    async def _record_job(self, number: int, part: InputPart, batch: Batch) -> JobPart:
        try:
            await self._append_record("create", part=number, batch_id=batch.batch_id)
        except BatchError as error:
            error.add_note(f"The job {batch.batch_id} was created.")
            raise
        job = JobPart(batch.batch_id, part)
        job.record_state(batch)
        return job

    async def _upload_part(self, number: int, part: InputPart) -> str:
        """Announce and upload one part; return its file id."""

        def report_bytes(done: int) -> None:
            self.options.report_step("upload", self._uploaded_bytes + done, self.input.report.size)

        name, content_type = self._part_file_name(number), self.options.content_type
        file = await self.calls.create_file(name)
        file = await self.calls.upload(
            file, self.input.file, part, file_name=name, content_type=content_type, on_progress=report_bytes
        )
        self._uploaded_bytes += part.size
        return file.file_id

    def _part_file_name(self, number: int) -> str:
        """Return the file name of a part: ``in.jsonl``, or ``in-001.jsonl`` and so on for a split input."""
        name = PurePath(self.input.file.name)
        single = len(self.input.report.parts) == 1
        return name.name if single else f"{name.stem}-{number + 1:03d}{name.suffix}"

    def _build_body(self, number: int, file_id: str, recorded: Mapping[str, Any]) -> dict[str, Any]:
        """Build the body that creates a job, with the ``request_id`` of the *recorded* body and the current options.

        The recorded options may be the reason why the service refused the job.
        """
        options = self.options
        chosen_id = options.request_id
        if chosen_id is not None and number:
            chosen_id = f"{chosen_id}-{number + 1}"
        return build_create_body(
            file_id=file_id,
            request_id=recorded.get("request_id") or chosen_id or str(uuid.uuid4()),
            provider=options.provider,
            endpoint=options.endpoint,
            completion_window=options.completion_window,
            metadata=options.metadata,
        )

    async def _append_record(self, kind: str, **fields: Any) -> None:
        if self.journal is not None:
            await self.journal.append_record(kind, **fields)
