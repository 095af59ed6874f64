"""The calls of the batch API, one method each.

Source: the batch inference reference of April 2026.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import anyio
import attrs

from gradient_async._io.batch.input_file import InputFile
from gradient_async._io.batch.presigned_client import MAX_URL_RENEWALS, PresignedClient, UploadProgress
from gradient_async._io.http.pipeline import Pipeline
from gradient_async._io.http.target import Target
from gradient_async._protocol.batch.api_requests import (
    AUTO,
    BATCHES_PATH,
    FILES_PATH,
    batch_path,
    list_path,
    validate_file_name,
    without_endpoint,
)
from gradient_async._protocol.batch.api_responses import (
    BatchPage,
    read_batch,
    read_batch_file,
    read_batch_page,
    read_result_links,
)
from gradient_async._protocol.batch.job_state import results_not_ready_error
from gradient_async._protocol.batch.poll_schedule import cancel_retry_delay, is_cancelled, pages_to_search
from gradient_async._protocol.batch.presigned import CONTENT_TYPES, needs_new_url, next_content_type
from gradient_async._protocol.batch.validation_report import InputPart
from gradient_async._protocol.codec.converter import encode_json
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.rate_limit.priority_queue import Priority
from gradient_async._protocol.requests.request import Request
from gradient_async.errors import (
    BadRequestError,
    ConflictError,
    NotFoundError,
    PermissionDeniedError,
    PreconditionFailedError,
    ProtocolError,
    UnprocessableEntityError,
    UploadError,
)
from gradient_async.models.batch import Batch, BatchFile, ResultLinks

Timeout = float | Timeouts | None
"""Seconds for a call, or a `Timeouts`; None for the session's own."""

T = TypeVar("T", Batch, BatchFile, ResultLinks, BatchPage)

_REFUSALS = (BadRequestError, UnprocessableEntityError)
_LIST_REFUSALS = (BadRequestError, NotFoundError, PermissionDeniedError, ProtocolError)
"""Errors of a service or key without the list of jobs; each job is requested alone then."""

_SEARCH_PAGE_SIZE = 100
_MAX_SEARCHED_PAGES = 3


@attrs.define(eq=False)
class BatchClient:
    """Sends the calls.

    Attributes:
        omits_endpoint: Whether the service was found to refuse the endpoint of Anthropic jobs.
    """

    pipeline: Pipeline
    target: Callable[[], Target]
    timeouts: Timeouts
    storage: PresignedClient
    omits_endpoint: bool = attrs.field(default=False, init=False)

    async def create_file(self, file_name: str, timeout: Timeout = None) -> BatchFile:
        """Announce an input file."""
        body = {"file_name": validate_file_name(file_name)}
        return await self._send_call(read_batch_file, "POST", FILES_PATH, timeout, body=body)

    async def create(self, body: Mapping[str, Any], timeout: Timeout = None) -> Batch:
        """Create the job that *body* describes; repeated with the same ``request_id`` it returns the same job.

        If an Anthropic job is refused with its endpoint, it is sent once more without.
        """
        shorter = without_endpoint(body)
        if shorter is None:
            return await self._create_or_find(body, timeout)
        if self.omits_endpoint:
            return await self._create_or_find(shorter, timeout)
        try:
            return await self._create_or_find(body, timeout)
        except _REFUSALS as error:
            refusal = error
        try:
            batch = await self._create_or_find(shorter, timeout)
        except _REFUSALS:
            raise refusal from None
        self.omits_endpoint = True
        return batch

    async def retrieve_batch(self, batch_id: str, timeout: Timeout = None, priority: Priority = "interactive") -> Batch:
        """Return the current state of a job."""
        return await self._send_call(read_batch, "GET", batch_path(batch_id), timeout, priority=priority)

    async def retrieve_all(
        self, batch_ids: Sequence[str], remaining: Callable[[], Timeout]
    ) -> tuple[dict[str, Batch], int]:
        """Return the current states of several jobs by their ids, and the number of requests that took.

        *remaining* returns the time limit of the next call.

        Several jobs are looked up in the list of jobs. Those that its first pages do not have are requested one by one.
        """
        found: dict[str, Batch] = {}
        requests = 0
        if len(batch_ids) > 1:
            requests = pages_to_search(len(batch_ids), _SEARCH_PAGE_SIZE)
            with suppress(*_LIST_REFUSALS):
                found, requests = await self._look_up(frozenset(batch_ids), remaining)
        for batch_id in batch_ids:
            known = found.get(batch_id)
            if known is None or (known.is_terminal and known.status != "completed"):  # the list may lack its errors
                found[batch_id] = await self.retrieve_batch(batch_id, remaining(), priority="bulk")
                requests += 1
        return found, requests

    async def _look_up(
        self, batch_ids: frozenset[str], remaining: Callable[[], Timeout]
    ) -> tuple[dict[str, Batch], int]:
        found: dict[str, Batch] = {}
        after, pages = None, 0
        while pages < pages_to_search(len(batch_ids), _SEARCH_PAGE_SIZE):
            pages += 1
            page = await self.fetch_page(
                limit=_SEARCH_PAGE_SIZE, after=after, status=None, timeout=remaining(), priority="bulk"
            )
            found |= {batch.batch_id: batch for batch in page.batches if batch.batch_id in batch_ids}
            after = page.after
            if after is None or len(found) == len(batch_ids):
                break
        return found, pages

    async def fetch_page(
        self,
        *,
        limit: int,
        after: str | None,
        status: str | None,
        timeout: Timeout = None,
        priority: Priority = "interactive",
    ) -> BatchPage:
        """Return one page of the list of jobs."""
        path = list_path(limit=limit, after=after, status=status)
        return await self._send_call(read_batch_page, "GET", path, timeout, priority=priority)

    async def cancel(self, batch_id: str, timeout: Timeout = None) -> Batch:
        """Cancel a job; wait and try again if the service refuses it right after the creation.

        Raises:
            ConflictError: The job has already ended.
        """
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._send_call(read_batch, "POST", batch_path(batch_id, "/cancel"), timeout)
            except ConflictError as error:
                refusal = error
            batch = await self.retrieve_batch(batch_id, timeout)
            if is_cancelled(batch, refusal):
                return batch
            delay = cancel_retry_delay(batch, attempt)
            if delay is None:
                raise refusal
            await anyio.sleep(delay)

    async def result_links(self, batch_id: str, timeout: Timeout = None) -> ResultLinks:
        """Return the presigned URLs of a job's results.

        Raises:
            BatchNotReadyError: The results are not available yet.
        """
        path = batch_path(batch_id, "/results")
        try:
            return await self._send_call(read_result_links, "GET", path, timeout, priority="bulk")
        except PreconditionFailedError:
            pass
        raise results_not_ready_error(batch_id)

    async def upload(
        self,
        file: BatchFile,
        data: InputFile,
        part: InputPart,
        *,
        file_name: str,
        content_type: str | None,
        on_progress: UploadProgress | None = None,
    ) -> BatchFile:
        """Upload a part of *data* to the URL of *file*; announce another file *file_name* if that URL is rejected.

        With the *content_type* `AUTO`, a URL that was signed for another type leads to the next one.

        Returns:
            The file that holds the bytes; create the job with its ``file_id``.
        """
        is_chosen = content_type != AUTO
        content_type = content_type if is_chosen else CONTENT_TYPES[0]
        for _ in range(MAX_URL_RENEWALS):
            try:
                await self._put_part(file, data, part, content_type, on_progress)
            except UploadError as error:
                if not needs_new_url(error):
                    raise
                content_type = content_type if is_chosen else next_content_type(content_type, file.upload_url, error)
            else:
                return file
            file = await self.create_file(file_name)
        await self._put_part(file, data, part, content_type, on_progress)
        return file

    async def _put_part(
        self,
        file: BatchFile,
        data: InputFile,
        part: InputPart,
        content_type: str | None,
        on_progress: UploadProgress | None,
    ) -> None:
        expires = file.expires_at.timestamp() if file.expires_at else None
        await self.storage.upload_part(
            file.upload_url, data, part, content_type=content_type, expires=expires, on_progress=on_progress
        )

    async def _create_or_find(self, body: Mapping[str, Any], timeout: Timeout) -> Batch:
        """Create a job; if the service reports its ``request_id`` as a conflict, find the existing job."""
        try:
            return await self._send_call(read_batch, "POST", BATCHES_PATH, timeout, body=body)
        except ConflictError as error:
            refusal = error
        found = await self.find_by_request_id(str(body["request_id"]), timeout)
        if found is None:
            raise refusal
        return found

    async def find_by_request_id(self, request_id: str, timeout: Timeout = None) -> Batch | None:
        """Return the job with *request_id* among the newest 300; None if there is none, or no list of jobs."""
        with suppress(*_LIST_REFUSALS):
            return await self._search_list(request_id, timeout)
        return None

    async def _search_list(self, request_id: str, timeout: Timeout) -> Batch | None:
        after = None
        for _ in range(_MAX_SEARCHED_PAGES):
            page = await self.fetch_page(limit=_SEARCH_PAGE_SIZE, after=after, status=None, timeout=timeout)
            for batch in page.batches:
                if batch.request_id == request_id:
                    return batch
            after = page.after
            if after is None:
                return None
        return None

    async def _send_call(
        self,
        read: Callable[[bytes], T],
        method: str,
        path: str,
        timeout: Timeout,
        *,
        body: Mapping[str, Any] | None = None,
        priority: Priority = "interactive",
    ) -> T:
        """Send a call that may be repeated: jobs have a ``request_id``, and announcing a file is free."""
        request = Request(
            method=method,
            path=path,
            body=None if body is None else encode_json(body),
            timeouts=self.timeouts.override_with(timeout),
            idempotent=True,
            priority=priority,
        )
        return await self.pipeline.send_and_decode(request, self.target(), read)
