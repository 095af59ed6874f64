"""From an input to jobs: validate, announce, upload, create; every step once, also across processes.

Contract: nothing is sent before the whole input was found right. A job is created under an id that is settled, and
with a journal on disk, before the request goes out: however often it is repeated, there is one job.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import attrs

from gradient_async._io.batch.input_file import CheckedInput
from gradient_async._io.batch.journal_file import Journal
from gradient_async._io.http.hooks import logger
from gradient_async._protocol.batch.api import build_create_body
from gradient_async._protocol.batch.journal_records import JournalHeader, PartState, fingerprint_key
from gradient_async._protocol.batch.validation_report import InputPart
from gradient_async.errors import GradientError
from gradient_async.resources.batch.client import BatchClient
from gradient_async.resources.batch.job import JobPart
from gradient_async.resources.batch.options import ResolvedOptions


@attrs.define(eq=False, kw_only=True)
class Submission:
    """Turns one checked input into its jobs."""

    calls: BatchClient
    input: CheckedInput
    options: ResolvedOptions
    journal: Journal | None
    _uploaded: int = attrs.field(default=0, init=False)

    async def run(self) -> list[JobPart]:
        """Return the jobs; those that the journal knows are not created again."""
        parts = await self._parts()
        jobs: list[JobPart] = []
        try:
            for number, part in enumerate(parts):
                jobs.append(await self._job(number, part))
                self.options.tell("submit", len(jobs), len(parts))
        except GradientError as error:
            if jobs and self.journal is None:
                error.add_note(f"Of the split input these jobs were created: {', '.join(j.batch_id for j in jobs)}")
            raise
        return jobs

    async def _parts(self) -> tuple[InputPart, ...]:
        """Return how the input is cut: as the journal says, which begins with that."""
        report, journal, target = self.input.report, self.journal, self.calls.target()
        if journal is None:
            return report.parts
        if journal.state.header is None:
            journal.state.header = self._header(target.key, target.base_url)
            await journal.write(journal.state.header.record())
        header = journal.state.header
        provider, endpoint = self.options.provider, self.options.endpoint
        header.check(key=target.key, host=target.base_url, report=report, provider=provider, endpoint=endpoint)
        return header.parts

    def _header(self, key: str, host: str) -> JournalHeader:
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

    async def _job(self, number: int, part: InputPart) -> JobPart:
        state = self.journal.state.part(number) if self.journal is not None else PartState()
        if state.batch_id is not None:
            return JobPart(state.batch_id, part)
        if state.file_id is None:
            state.file_id = await self._upload(number, part)
            await self._note("upload", part=number, file_id=state.file_id)
        body = self._body(number, state.file_id, state.body or {})
        if body != state.body:
            state.body = body
            await self._note("submit", part=number, body=body)
        logger.info("creating a batch job under request_id %s", body["request_id"])
        batch = await self.calls.create(body)
        await self._note("create", part=number, batch_id=batch.batch_id)
        job = JobPart(batch.batch_id, part)
        job.update(batch)
        return job

    async def _upload(self, number: int, part: InputPart) -> str:
        def watch(done: int) -> None:
            self.options.tell("upload", self._uploaded + done, self.input.report.size)

        file = await self.calls.create_file(self._file_name(number))
        file = await self.calls.upload(file, self.input.file, part, content_type=self.options.content_type, watch=watch)
        self._uploaded += part.size
        return file.file_id

    def _file_name(self, number: int) -> str:
        name = PurePath(self.input.file.name)
        single = len(self.input.report.parts) == 1
        return name.name if single else f"{name.stem}-{number + 1:03d}{name.suffix}"

    def _body(self, number: int, file_id: str, announced: Mapping[str, Any]) -> dict[str, Any]:
        """Return what creates the job: under the id that was *announced*, but with the options of now.

        Those of then may be why the service refused it.
        """
        options = self.options
        given = options.request_id
        if given is not None and number:
            given = f"{given}-{number + 1}"
        return build_create_body(
            file_id=file_id,
            request_id=announced.get("request_id") or given or str(uuid.uuid4()),
            provider=options.provider,
            endpoint=options.endpoint,
            completion_window=options.completion_window,
            metadata=options.metadata,
        )

    async def _note(self, kind: str, **fields: Any) -> None:
        if self.journal is not None:
            await self.journal.append(kind, **fields)
