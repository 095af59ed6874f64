"""The responses of the batch API: its two wire shapes as one model.

Contract: pure. Cursors and ids are opaque strings. Where the documents and the observed service name a field
differently, both names are read.

    field          documented                     observed
    input file     input_file_id                  file_id
    list of jobs   data, last_id, has_more        edges[].node, page_info.endCursor, page_info.hasNextPage
    result links   output_file_url                download.presigned_url
    errors         [fault, ...]                   {"object": "list", "data": [fault, ...]}

Source: the batch inference reference of April 2026; captures of the service from the same days.
"""

from __future__ import annotations

from typing import Any

import attrs

from gradient_async._protocol.batch.job_state import results_not_ready_error
from gradient_async._protocol.codec.converter import decode_json, structure
from gradient_async.errors import APIStatusError, ResponseDecodeError
from gradient_async.models.batch import Batch, BatchFile, ResultLinks
from gradient_async.models.response_meta import ResponseMeta


def read_batch_file(body: bytes) -> BatchFile:
    """Return the announced file in a response body.

    Raises:
        ResponseDecodeError: The body is not a file.
    """
    return structure(decode_json(body), BatchFile)


def read_batch(body: bytes) -> Batch:
    """Return the job in a response body.

    Raises:
        ResponseDecodeError: The body is not a job.
    """
    return _structure_batch(decode_json(body))


def _structure_batch(value: Any) -> Batch:
    known = dict(value) if type(value) is dict else {}
    if known.get("input_file_id") is None and "file_id" in known:
        known["input_file_id"] = known["file_id"]
    if type(errors := known.get("errors")) is dict:
        known["errors"] = errors.get("data")  # a list object, as in OpenAI's own batches
    return structure(known or value, Batch, raw=value)


@attrs.define
class BatchPage:
    """One page of the list of jobs.

    Attributes:
        after: The cursor of the next page; None on the last page.
    """

    batches: list[Batch]
    after: str | None
    meta: ResponseMeta = attrs.field(factory=ResponseMeta)


def read_batch_page(body: bytes) -> BatchPage:
    """Return the page of jobs in a response body.

    Raises:
        ResponseDecodeError: The body is not a page of jobs.
    """
    value = decode_json(body)
    page: dict[str, Any] = value if type(value) is dict else {"data": value}
    if "edges" in page:
        edges = [edge for edge in _read_items(page, "edges") if type(edge) is dict]
        stated = page.get("page_info")
        info = stated if type(stated) is dict else {}
        after = (info.get("endCursor") or edges[-1].get("cursor")) if edges and info.get("hasNextPage") else None
        return BatchPage([_structure_batch(edge.get("node")) for edge in edges], _read_cursor(after))
    batches = [_structure_batch(item) for item in _read_items(page, "data")]
    after = (page.get("last_id") or batches[-1].batch_id) if batches and page.get("has_more") else None
    return BatchPage(batches, _read_cursor(after))


def _read_items(page: dict[str, Any], name: str) -> list[Any]:
    """Return the list *name* of a page; a missing one is empty.

    Raises:
        ResponseDecodeError: It is not a list. An empty page in its place would hide jobs that exist.
    """
    items = page.get(name)
    if items is not None and type(items) is not list:
        raise ResponseDecodeError(
            f"The service's response is not a page of batches: {name} is not a list.", path=f"$.{name}"
        )
    return items or []


def _read_cursor(cursor: Any) -> str | None:
    """Return the cursor of the next page, None on the last page."""
    if cursor is not None and type(cursor) is not str:
        raise ResponseDecodeError("The service's page of batches has a cursor that is not a text.")
    return cursor


def is_file_gone(error: APIStatusError, file_id: str) -> bool:
    """Whether a job was refused because its uploaded file is not at the service any more."""
    if error.status in (404, 410):
        return True
    text = f"{error.code or ''} {error.message or ''}".lower()
    is_of_file = file_id.lower() in text or "file" in text
    return error.status in (400, 422) and is_of_file and any(word in text for word in _GONE_WORDS)


_GONE_WORDS = ("not found", "not_found", "expired", "does not exist", "no longer", "no such")


def read_result_links(body: bytes) -> ResultLinks:
    """Return the presigned URLs of a job's result files.

    Raises:
        BatchNotReadyError: The results are not available yet.
        ResponseDecodeError: The body is not an object with links.
    """
    value = decode_json(body)
    known = value
    if type(value) is dict and type(download := value.get("download")) is dict:
        known = {"output_file_url": download.get("presigned_url"), "expires_at": download.get("expires_at"), **value}
    links = structure(_without_fillers(known), ResultLinks, raw=value)
    if not links.result_available:
        raise results_not_ready_error(links.batch_id)
    return links


def _without_fillers(links: Any) -> Any:
    """Return *links* without empty URLs, and without a placeholder for a sidecar that does not exist.

    The reference's own example has ``"error_file_url": "string"``.
    """
    if type(links) is not dict:
        return links
    sidecar = links.get("error_file_url")
    fillers = {name for name in ("output_file_url", "error_file_url") if links.get(name) == ""}
    if isinstance(sidecar, str) and "://" not in sidecar:
        fillers.add("error_file_url")
    return {name: value for name, value in links.items() if name not in fillers}
