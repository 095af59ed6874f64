"""The requests of the batch API: endpoints, paths, names and bodies.

Contract: pure. Cursors and ids are opaque strings.

Source: the batch inference reference of April 2026.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final, Literal, get_args
from urllib.parse import quote, urlencode

import attrs

from gradient_async.errors import BatchValidationError, ConfigurationError, is_count, quote_argument

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
