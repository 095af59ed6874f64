"""Where a request goes: to the inference service, to the agent, or to the gateway itself.

Contract: pure.
"""

from __future__ import annotations

from typing import Literal

import attrs

from gradient_async._protocol.requests.chat import AGENT_CHAT_PATH, build_agent_path

Destination = Literal["inference", "agent"]
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
_BASES: tuple[tuple[str, Destination], ...] = (("/v1/", "inference"), ("/api/v1/", "agent"))
_DOUBLED = "/v1/v1/"


@attrs.frozen
class Route:
    """The destination of a request, and its path and query there."""

    destination: Destination
    path: str


def find_route(method: str, path: str) -> Route | None:
    """Return where a request to *path*, with its query, goes; None if the gateway does not serve it."""
    if method not in _METHODS or path.startswith(_DOUBLED):
        return None
    for base, destination in _BASES:
        if path.startswith(base):
            return Route(destination, _resolve_agent_path(path) if destination == "agent" else path)
    return None


def explain_missing(method: str, path: str) -> str:
    """Return the sentence for a request that `find_route` does not know."""
    path = path.partition("?")[0]
    if path.startswith(_DOUBLED):
        return "The path has /v1 twice: this SDK adds it, so give it the base URL without /v1."
    if method in _METHODS and not path.startswith("/v1"):
        return "The gateway serves paths that begin with /v1/, and /api/v1/ for the agent: end the base URL with /v1."
    return "The gateway serves GET, POST, PUT, PATCH and DELETE of paths below /v1/ and /api/v1/."


def _resolve_agent_path(path: str) -> str:
    return build_agent_path(path) if path == AGENT_CHAT_PATH else path
