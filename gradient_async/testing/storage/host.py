"""The object storage behind presigned URLs: a host of its own, with rules of its own.

Contract: bodies are streamed from and to files in a temporary directory and are never whole in memory. Scripted
answers and faults apply as they do to the API; a scripted failure or reset strikes an upload when half of it
has arrived, and nothing is stored. No rate limit applies.
Source: the upload section of the Batch Inference reference; the S3 API for what the reference leaves to it.
"""

from __future__ import annotations

import asyncio
import tempfile
import uuid
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path

import attrs
from aiohttp import ClientError, web

from gradient_async.testing.http.server import Connection, ask_for_body
from gradient_async.testing.replies import Answer, Reply
from gradient_async.testing.scripting.faults import Fault, Plan, Sever, Truncate
from gradient_async.testing.scripting.queue import Condition, Failure, Script
from gradient_async.testing.storage import request as storage_request
from gradient_async.testing.storage import responses as storage_answer
from gradient_async.testing.storage.delivery import StorageDelivery, Upload
from gradient_async.testing.storage.presign import LIFETIME, Signer
from gradient_async.testing.storage.request import StorageRequest
from gradient_async.testing.storage.responses import Stored


@attrs.frozen(kw_only=True)
class Cut(Fault):
    """The end of the connection after so many bytes of a body, of which the headers promised more."""


@attrs.define(kw_only=True, eq=False)
class Storage:
    """The storage host.

    Attributes:
        address: Returns the address, which is known once it listens.
        script: What the test scripted.
        clock: Returns the time in epoch seconds.
        time_scale: How many times as fast as the clock the lifetime of a URL passes.
        requests: Everything it saw, oldest first.
        objects: What is stored, by path.
    """

    address: Callable[[], str]
    script: Script
    clock: Callable[[], float]
    time_scale: float = 1.0
    requests: list[StorageRequest] = attrs.field(factory=list, init=False)
    objects: dict[str, Stored] = attrs.field(factory=dict, init=False)
    _signer: Signer = attrs.field(factory=Signer, init=False)
    _directory: tempfile.TemporaryDirectory[str] | None = attrs.field(default=None, init=False)

    @property
    def url(self) -> str:
        """The address, without a path."""
        return self.address()

    def link(self, method: str, path: str) -> tuple[str, float]:
        """Return a URL for *method* on *path*, and when it expires in epoch seconds."""
        now = self.clock()
        expires = now + LIFETIME / self.time_scale
        return self.url + self._signer.target(method, path, now=now, expires=expires), expires

    def expire(self) -> None:
        """Make every URL that was handed out so far expire now."""
        self._signer.era += 1

    def cut(self, after: int, *, times: int | None = 1, path: str = "/outputs/*") -> None:
        """End the connection after *after* bytes of the next download's body; its headers promise all of it."""
        self.script.add("cut", Cut(after=after), times=times, when=_download(path))

    def new_file(self) -> Path:
        """Return the path of a file that does not exist yet."""
        if self._directory is None:
            self._directory = tempfile.TemporaryDirectory(prefix="gradient-emulator-")
        return Path(self._directory.name) / uuid.uuid4().hex

    def publish(self, path: str, file: Path, size: int, *, content_type: str = "application/jsonl") -> None:
        """Store a *file* that was made here."""
        etag = f'"{uuid.uuid4().hex}"'
        self.objects[path] = Stored(path=file, size=size, etag=etag, content_type=content_type, modified=self.clock())

    def close(self) -> None:
        """Delete every file."""
        if self._directory is not None:
            self._directory.cleanup()
            self._directory = None

    async def handle(self, http: web.BaseRequest, connection: Connection) -> web.StreamResponse:
        """Answer one request."""
        record = storage_request.record(http, connection, self.clock())
        self.requests.append(record)
        try:
            answer, plan = await self._decide(http, record)
        except (asyncio.CancelledError, ClientError):
            record.disconnected = not connection.aborted
            raise
        headers = {"x-amz-request-id": record.request_id}
        delivery = StorageDelivery(
            http=http, connection=connection, record=record, answer=answer, plan=plan, headers=headers
        )
        return await delivery.run()

    async def _decide(self, http: web.BaseRequest, record: StorageRequest) -> tuple[Answer, Plan]:
        if fault := storage_request.refusal(record, self._signer, self.objects):
            record.error = fault.code
            return storage_answer.refusal(fault, record.request_id), Plan()
        ask_for_body(http)
        scripted = self.script.next_answer(record)
        if struck := _struck(record, scripted):
            await self._receive_half(http, record)
            return struck, Plan([scripted] if isinstance(scripted, Sever) else [])
        plan = self.script.next_faults(record)
        if record.method == "PUT":
            return storage_answer.accepted(await self._store(http, record)), plan
        return self._found(record, plan), _closing(plan)

    def _found(self, record: StorageRequest, plan: Plan) -> Answer:
        stored = self.objects[record.path]
        if record.method == "HEAD":
            return storage_answer.described(stored)
        cuts = [int(fault.after) for fault in plan.faults if isinstance(fault, Cut)]
        return storage_answer.content(stored, record.headers, request_id=record.request_id, cut=min(cuts, default=None))

    async def _receive_half(self, http: web.BaseRequest, record: StorageRequest) -> None:
        half = (http.content_length or 0) / 2
        async for block in http.content.iter_any():
            record.received += len(block)
            if record.received >= half:
                return

    async def _store(self, http: web.BaseRequest, record: StorageRequest) -> Stored:
        upload = Upload(self.new_file())
        try:
            async for block in http.content.iter_any():
                upload.add(block)
                record.received += len(block)
        except BaseException:
            upload.discard()
            raise
        self.objects[record.path] = upload.finish(http.content_type, self.clock())
        return self.objects[record.path]


def _struck(record: StorageRequest, scripted: Reply | Failure | Sever | None) -> Answer | None:
    """Return the answer that a test scripted instead of the usual one; None if it did not."""
    if isinstance(scripted, Sever):
        return Answer()
    if isinstance(scripted, Failure):
        record.error = storage_answer.code(scripted)
        return storage_answer.failure(scripted, record.request_id)
    spelled_out = scripted and scripted.verbatim(streams=False)
    return storage_answer.verbatim(spelled_out) if spelled_out else None


def _closing(plan: Plan) -> Plan:
    """Return *plan* with the end of the connection at the end of a body that is cut."""
    if not any(isinstance(fault, Cut) for fault in plan.faults):
        return plan
    return Plan([*plan.faults, Truncate(after=float("inf"))])


def _download(path: str) -> Condition:
    return lambda request: request.method == "GET" and fnmatchcase(request.path, path)
