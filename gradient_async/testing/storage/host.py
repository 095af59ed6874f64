"""The storage host behind presigned URLs.

Contract: bodies are streamed from and to files in a temporary directory and are never complete in memory. Scripted
responses and faults apply as on the API hosts; a scripted failure or reset interrupts an upload when half of it has
arrived, and nothing is stored. No rate limit applies.
Source: the upload section of the Batch Inference reference; the S3 API for details that the reference leaves open.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
import uuid
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import urlsplit

import attrs
from aiohttp import ClientError, web

from gradient_async.testing.http.server import Connection, send_continue
from gradient_async.testing.replies import Reply, Response
from gradient_async.testing.scripting.faults import Disconnect, Fault, FaultPlan, Truncate
from gradient_async.testing.scripting.queue import Failure, RequestFilter, Script
from gradient_async.testing.storage import request as storage_request
from gradient_async.testing.storage import responses as storage_responses
from gradient_async.testing.storage.presign import LIFETIME, UrlSigner
from gradient_async.testing.storage.request import StorageRequest
from gradient_async.testing.storage.responses import StoredObject
from gradient_async.testing.storage.transfers import StorageDelivery, Upload


@attrs.frozen(kw_only=True)
class CutBody(Fault):
    """The end of the connection *after* so many bytes of a longer body."""


@attrs.define(kw_only=True, eq=False)
class StorageHost:
    """The storage host.

    Attributes:
        address: Returns the address; it is known once the server listens.
        script: The scripted responses and faults.
        clock: Returns the time in epoch seconds.
        time_scale: The factor by which the lifetime of a URL passes faster than the clock.
        signed_type: The ``Content-Type`` that upload URLs are signed for, ``""`` for none; None if it is not signed.
        content_encoding: The ``Content-Encoding`` that objects are published with; their bytes stay as they are.
        states_size: Whether a refused range states the size of the object.
        requests: All received requests, oldest first.
        objects: The stored objects by path.
    """

    address: Callable[[], str]
    script: Script
    clock: Callable[[], float]
    time_scale: float = 1.0
    signed_type: str | None = None
    content_encoding: str | None = None
    states_size: bool = True
    requests: list[StorageRequest] = attrs.field(factory=list, init=False)
    objects: dict[str, StoredObject] = attrs.field(factory=dict, init=False)
    _signer: UrlSigner = attrs.field(init=False)
    _directory: tempfile.TemporaryDirectory[str] | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._signer = UrlSigner(time_scale=self.time_scale)

    @property
    def access_key(self) -> str:
        """The access key for S3 clients that make presigned URLs for this host."""
        return self._signer.access_key

    @property
    def secret_key(self) -> str:
        """The secret key to `access_key`, another one for each emulator."""
        return self._signer.secret_key

    @property
    def url(self) -> str:
        """The address of the host, without a path."""
        return self.address()

    def create_url(self, method: str, path: str) -> tuple[str, float]:
        """Return a presigned URL for *method* on *path*, and its expiry in epoch seconds."""
        now = self.clock()
        expires = now + LIFETIME / self.time_scale
        content_type = self.signed_type if method == "PUT" else None
        target = self._signer.sign_target(
            method, path, host=urlsplit(self.url).netloc, now=now, expires=expires, content_type=content_type
        )
        return self.url + target, expires

    def expire(self) -> None:
        """Expire every URL issued so far; a request for one is a 403.

        Example: ``gradient.storage.expire()`` between the upload URL and the upload.
        """
        self._signer.expire_all(self.clock())

    def cut(self, after: int, *, times: int | None = 1, path: str = "/outputs/*") -> None:
        """Close the connection in the middle of the next download; its headers promise the complete body.

        Example: ``gradient.storage.cut(after=100)`` sends 100 bytes of the next result file.

        Args:
            after: The number of body bytes to send.
            times: The number of downloads that are cut; None for all.
            path: A pattern of the paths of the objects.
        """
        matches: RequestFilter = lambda request: request.method == "GET" and fnmatchcase(request.path, path)  # noqa: E731
        self.script.add_effect("cut", CutBody(after=after), times=times, matches=matches)

    def new_file(self) -> Path:
        """Return the path of a new file in the temporary directory."""
        if self._directory is None:
            self._directory = tempfile.TemporaryDirectory(prefix="gradient-emulator-")
        return Path(self._directory.name) / uuid.uuid4().hex

    def publish(self, path: str, file: Path, size: int, *, content_type: str = "application/jsonl") -> None:
        """Store an object with the bytes of *file*.

        Args:
            path: The path of the object.
            file: A file from `new_file`.
            size: The size in bytes.
            content_type: The content type.
        """
        etag = f'"{_hash_file(file, size)}"'
        self.objects[path] = StoredObject(
            path=file,
            size=size,
            etag=etag,
            content_type=content_type,
            modified=self.clock(),
            content_encoding=self.content_encoding,
        )

    def delete_files(self) -> None:
        """Delete all files."""
        if self._directory is not None:
            self._directory.cleanup()
            self._directory = None

    async def handle_request(self, http: web.BaseRequest, connection: Connection) -> web.StreamResponse:
        """Respond to one request."""
        record = storage_request.record_request(http, connection, self.clock())
        self.requests.append(record)
        try:
            response, plan = await self._decide_response(http, record)
        except (asyncio.CancelledError, ClientError):
            record.disconnected = not connection.aborted
            raise
        headers = {"x-amz-request-id": record.request_id}
        delivery = StorageDelivery(
            http=http, connection=connection, record=record, response=response, plan=plan, headers=headers
        )
        return await delivery.deliver_response()

    async def _decide_response(self, http: web.BaseRequest, record: StorageRequest) -> tuple[Response, FaultPlan]:
        if error := storage_request.check_request(record, self._signer, self.objects):
            record.error = error.code
            return storage_responses.s3_error_response(error, record.request_id), FaultPlan()
        send_continue(http)
        scripted = self.script.take_response(record)
        if response := _scripted_response(record, scripted):
            await self._receive_half(http, record)
            return response, FaultPlan([scripted] if isinstance(scripted, Disconnect) else [])
        plan = self.script.take_faults(record)
        if record.method == "PUT":
            return storage_responses.upload_response(await self._store_upload(http, record)), plan
        return self._object_response(record, plan), _close_after_cut(plan)

    def _object_response(self, record: StorageRequest, plan: FaultPlan) -> Response:
        stored = self.objects[record.path]
        if record.method == "HEAD":
            return storage_responses.head_response(stored)
        cuts = [int(fault.after) for fault in plan.faults if isinstance(fault, CutBody)]
        return storage_responses.download_response(
            stored,
            record.headers,
            request_id=record.request_id,
            limit=min(cuts, default=None),
            states_size=self.states_size,
        )

    async def _receive_half(self, http: web.BaseRequest, record: StorageRequest) -> None:
        half = (http.content_length or 0) / 2
        async for block in http.content.iter_any():
            record.received += len(block)
            if record.received >= half:
                return

    async def _store_upload(self, http: web.BaseRequest, record: StorageRequest) -> StoredObject:
        upload = Upload(self.new_file())
        try:
            async for block in http.content.iter_any():
                upload.add_block(block)
                record.received += len(block)
        except BaseException:
            upload.discard_file()
            raise
        self.objects[record.path] = upload.finish_object(http.content_type, self.clock())
        return self.objects[record.path]


def _hash_file(file: Path, size: int) -> str:
    """Return the MD5 of the first *size* bytes, which the ETag of a file stored in one piece is."""
    digest = hashlib.md5(usedforsecurity=False)
    with file.open("rb") as stream:
        while size > 0 and (block := stream.read(min(size, 1_048_576))):
            digest.update(block)
            size -= len(block)
    return digest.hexdigest()


def _scripted_response(record: StorageRequest, scripted: Reply | Failure | Disconnect | None) -> Response | None:
    """Build the response for *scripted*; None if the request proceeds as usual."""
    if isinstance(scripted, Disconnect):
        return Response()
    if isinstance(scripted, Failure):
        record.error = storage_responses.failure_code(scripted)
        return storage_responses.failure_response(scripted, record.request_id)
    literal = scripted and scripted.literal_response(streams=False)
    return storage_responses.with_content_length(literal) if literal else None


def _close_after_cut(plan: FaultPlan) -> FaultPlan:
    """Return *plan*; if it cuts the body, add a truncation, which closes the connection at the end of the body."""
    if not any(isinstance(fault, CutBody) for fault in plan.faults):
        return plan
    return FaultPlan([*plan.faults, Truncate(after=float("inf"))])
