"""The calls of the batch API as data, and its two wire shapes as one model.

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

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final, Literal, get_args
from urllib.parse import quote, urlencode

import attrs

from gradient_async._protocol.codec.converter import decode_json, structure
from gradient_async.errors import (
    APIStatusError,
    BatchFailedError,
    BatchNotReadyError,
    BatchValidationError,
    ConfigurationError,
    ResponseDecodeError,
    is_count,
    quote_argument,
)
from gradient_async.models.batch import Batch, BatchFault, BatchFile, RequestCounts, ResultLinks
from gradient_async.models.response_meta import ResponseMeta

FILES_PATH = "/v1/batches/files"
BATCHES_PATH = "/v1/batches"
AUTO: Final = "auto"
"""Stands for the endpoint that the provider implies."""

Provider = Literal["openai", "anthropic"]
_ENDPOINTS: dict[str, str] = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
Endpoint = Literal["/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/embeddings"]
EndpointOption = Endpoint | Literal["auto"] | None
"""What callers give: an endpoint, `AUTO`, or None for none. At run time any path is accepted."""

KNOWN_ENDPOINTS: tuple[str, ...] = get_args(Endpoint)
_TYPO_SIMILARITY = 0.85
_SHOWN_CHARS = 100
_MAX_SHOWN_FAULTS = 3
_SUFFIX = ".jsonl"
COMPRESSIONS = (".gz", ".zst", ".bz2", ".xz")
"""Endings of compressed files, after that of the format."""


@attrs.frozen(kw_only=True)
class BatchLimits:
    """The largest input of one job. A larger input is refused, or split into several jobs.

    Attributes:
        requests: Maximum number of lines with a request.
        size: Maximum size of the input in bytes.

    Raises:
        ConfigurationError: A limit is below 1.
    """

    requests: int = 50_000
    size: int = 200_000_000

    def __attrs_post_init__(self) -> None:
        if not (is_count(self.requests) and is_count(self.size)):
            raise ConfigurationError(f"{self}: give at least 1 request and 1 byte.")


def resolve_endpoint(provider: str | None, endpoint: str | None) -> str | None:
    """Return *endpoint*; replace `AUTO` by the endpoint that *provider* implies.

    Unknown endpoints are left to the service, unless they look like a misspelt one.

    Raises:
        ConfigurationError: It is not a path, or nearly a known endpoint.
    """
    if endpoint == AUTO:
        return _ENDPOINTS.get(provider or "")
    if endpoint is None or endpoint in KNOWN_ENDPOINTS:
        return endpoint
    if not isinstance(endpoint, str):
        raise ConfigurationError(f"endpoint must be a path, as '/v1/chat/completions'; got {quote_argument(endpoint)}.")
    meant = get_close_matches(f"/{endpoint.strip('/').lower()}", KNOWN_ENDPOINTS, n=1, cutoff=_TYPO_SIMILARITY)
    if meant or not endpoint.startswith("/"):
        advice = f"did you mean {meant[0]!r}?" if meant else "give a path such as '/v1/chat/completions'."
        raise ConfigurationError(f"The endpoint {quote_argument(endpoint)} is unknown; {advice}")
    return endpoint


def batch_path(batch_id: str, action: str = "") -> str:
    """Return the path of a job. The id is percent-encoded, so it cannot add a segment or a query.

    Raises:
        ConfigurationError: The id is empty, or would lead to another path.
    """
    if batch_id.strip() in ("", ".", ".."):
        raise ConfigurationError(f"batch_id takes the id of a job; got {quote_argument(batch_id)}.")
    return f"{BATCHES_PATH}/{quote(batch_id, safe='')}{action}"


def list_path(*, limit: int, after: str | None, status: str | None) -> str:
    """Return the path and query of one page of jobs."""
    query = {"limit": limit, "after": after, "status": status}
    return f"{BATCHES_PATH}?{urlencode({name: value for name, value in query.items() if value is not None})}"


def validate_file_name(name: str) -> str:
    """Return *name* if the service accepts it.

    Raises:
        ConfigurationError: The name is not a text.
        BatchValidationError: It does not end with ``.jsonl``, or has nothing before that.
    """
    if not isinstance(name, str):
        raise ConfigurationError(f"file_name must be a text that ends with {_SUFFIX}; got {quote_argument(name)}.")
    if not name.lower().endswith(_SUFFIX) or len(name) == len(_SUFFIX):
        fault = f"File name {quote_argument(name)} must end with {_SUFFIX}."
        raise BatchValidationError(fault, faults=[fault])
    return name


def derive_file_name(path: str) -> str:
    """Return a valid file name for the input at *path*: ``prompts.jsonl`` for ``/data/prompts.jsonl.gz``."""
    name = path.replace("\\", "/").rpartition("/")[2]
    for suffix in COMPRESSIONS:
        if name.lower().endswith(suffix):
            name = name[: -len(suffix)]
    if name.lower().endswith(_SUFFIX) and len(name) > len(_SUFFIX):
        return name
    stem = name[: name.rfind(".")] if "." in name else name
    return f"{stem or 'batch'}{_SUFFIX}"


def build_create_body(
    *,
    file_id: str,
    request_id: str,
    provider: str,
    endpoint: str | None,
    completion_window: str,
    metadata: Mapping[str, str] | None,
) -> dict[str, Any]:
    """Build the body that creates a job, without the fields that are None."""
    body = {
        "file_id": file_id,
        "provider": provider,
        "endpoint": endpoint,
        "completion_window": completion_window,
        "request_id": request_id,
        "metadata": None if metadata is None else dict(metadata),
    }
    return {name: value for name, value in body.items() if value is not None}


def without_endpoint(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return *body* without its endpoint, to send if the service refuses it; None if the endpoint is required.

    The documents of April 2026 require the endpoint of Anthropic jobs, the documents of May forbid it.
    """
    if body.get("provider") != "anthropic" or "endpoint" not in body:
        return None
    return {name: value for name, value in body.items() if name != "endpoint"}


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


def results_not_ready_error(batch_id: str) -> BatchNotReadyError:
    """Return the error for reading results before the job has ended."""
    return BatchNotReadyError(f"The results of batch {batch_id} are not available yet; call wait() first.")


def results_overdue_error(batch: Batch) -> BatchNotReadyError:
    """Return the error for an ended job with results that are expected and do not appear."""
    return BatchNotReadyError(f"{_describe_end(batch)} Its results are not available yet; ask for them again later.")


def batch_failed_error(batch: Batch) -> BatchFailedError:
    """Return the error for a job that ended without completing; the message quotes its first faults."""
    shown = [str(fault) for fault in batch.errors[:_MAX_SHOWN_FAULTS]]
    more = len(batch.errors) - len(shown)
    reasons = " ".join(shown) + (f" ... and {more} more in .batch.errors." if more else "")
    return BatchFailedError(f"{_describe_end(batch)} {reasons}".strip(), batch=batch)


def _describe_end(batch: Batch) -> str:
    counts = batch.request_counts
    return f"Batch {batch.batch_id} ended as {batch.status}, with {counts.completed} of {counts.total} completed."


_RUNNING_STATUSES = ("queued", "validating", "in_progress", "finalizing", "cancelling")
"""From the least to the most advanced; an unknown status ranks as the least advanced."""

_TERMINAL_STATUSES = ("completed", "cancelled", "expired", "failed")
"""From the best to the worst outcome."""


def merge_batches(batches: Sequence[Batch]) -> Batch:
    """Return the jobs of a split input as one job.

    Counts are summed and faults concatenated. While any job runs, the status is that of the least advanced running
    job; afterwards it is the worst outcome: completed + in_progress is in_progress, completed + failed is failed.
    """
    first = batches[0]
    if len(batches) == 1:
        return first
    running = [batch.status for batch in batches if not batch.is_terminal]
    if running:
        status = min(running, key=lambda status: _rank_status(_RUNNING_STATUSES, status))
    else:
        status = max((batch.status for batch in batches), key=lambda status: _rank_status(_TERMINAL_STATUSES, status))
    errors: list[BatchFault] = [fault for batch in batches for fault in batch.errors]
    batch_id = ",".join(batch.batch_id for batch in batches)
    counts = RequestCounts(
        total=sum(batch.request_counts.total for batch in batches),
        completed=sum(batch.request_counts.completed for batch in batches),
        failed=sum(batch.request_counts.failed for batch in batches),
    )
    return attrs.evolve(first, batch_id=batch_id, status=status, request_counts=counts, errors=errors, raw=None)


def _rank_status(order: tuple[str, ...], status: str) -> int:
    return order.index(status) if status in order else 0
