"""Where a request goes: to the inference service, to the agent, or to the gateway itself.

Contract: pure.
"""

from __future__ import annotations

from typing import Literal

import attrs

from gradient_async._protocol.requests.chat import AGENT_CHAT_PATH, build_agent_path

Destination = Literal["inference", "agent"]
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
ALLOW = ("Allow", ", ".join(_METHODS))
"""The header of a response with status 405."""
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


def explain_missing(path: str) -> tuple[int, str]:
    """Return the status and the sentence for a request that `find_route` does not know."""
    path = path.partition("?")[0]
    if path.startswith(_DOUBLED):
        return 404, "The path has /v1 twice: this SDK adds it, so give it the base URL without /v1."
    if path.startswith("//"):
        return 404, "The path begins with two slashes: give the base URL without the one at its end."
    if not path.startswith(tuple(base for base, _ in _BASES)):
        advice = "end the base URL with /v1."
        return 404, f"The gateway serves paths that begin with /v1/, and /api/v1/ for the agent: {advice}"
    return 405, f"The gateway takes {', '.join(_METHODS[:-1])} and {_METHODS[-1]}."


def _resolve_agent_path(path: str) -> str:
    return build_agent_path(path) if path == AGENT_CHAT_PATH else path
