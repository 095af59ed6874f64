"""The lines of input and output files, in the conventions of the two providers.

Contract: pure. What a line says is checked before a job runs, what its request says when it is its turn.
Source: the Batch Inference reference, which names the input schemas of the OpenAI Batch API and of Anthropic's
Message Batches; output lines follow those two vendors' published schemas.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Protocol

import attrs

_NAMES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    529: "overloaded_error",
}
_UNFINISHED = {
    "expired": "This request could not be executed before the completion window expired.",
    "cancelled": "This request was not executed, because the batch was cancelled.",
}


@attrs.frozen(kw_only=True)
class Outcome:
    """What became of one request; *status* None means that it never got an answer."""

    status: int | None
    body: Any = None
    code: str = ""
    message: str = ""

    @property
    def ok(self) -> bool:
        """Whether it succeeded."""
        return self.status == 200


class Dialect(Protocol):
    """The conventions of a provider."""

    @property
    def endpoint(self) -> str:
        """The path that requests are for."""

    def fault(self, line: Mapping[str, Any]) -> str | None:
        """Return what is wrong with an input line; None if nothing is."""

    def request(self, line: Mapping[str, Any]) -> Any:
        """Return the body of a line's request."""

    def result(self, custom_id: str, outcome: Outcome, request_id: str) -> dict[str, Any]:
        """Return an output line."""

    def unfinished(self, custom_id: str, ending: str) -> dict[str, Any] | None:
        """Return the line of a request that was not executed; None if it has none.

        Args:
            custom_id: The line's.
            ending: ``"expired"`` or ``"cancelled"``: why it was not.
        """


@attrs.frozen
class OpenAI:
    """Lines of the OpenAI Batch API."""

    endpoint: str

    def fault(self, line: Mapping[str, Any]) -> str | None:
        """Return the first missing or wrong field."""
        if missing := _missing(line, ("custom_id", "method", "url", "body")):
            return missing
        if line["method"] != "POST":
            return f"method must be POST, got {line['method']!r}."
        if line["url"] != self.endpoint:
            return f"url {line['url']!r} does not match the endpoint {self.endpoint!r} of the batch."
        return None if isinstance(line["body"], dict) else "body must be an object."

    def request(self, line: Mapping[str, Any]) -> Any:
        """Return the ``body``."""
        return line["body"]

    def result(self, custom_id: str, outcome: Outcome, request_id: str) -> dict[str, Any]:
        """Return a response, or an error if there is none."""
        if outcome.status is None:
            error = {"code": outcome.code, "message": outcome.message}
            return _openai_line(custom_id, request_id, response=None, error=error)
        body = outcome.body if outcome.ok else {"error": _error(outcome) | {"code": outcome.code or None}}
        response = {"status_code": outcome.status, "request_id": request_id, "body": body}
        return _openai_line(custom_id, request_id, response=response, error=None)

    def unfinished(self, custom_id: str, ending: str) -> dict[str, Any] | None:
        """Return an error for an expired request; a cancelled one has no line."""
        if ending == "cancelled":
            return None
        error = {"code": f"batch_{ending}", "message": _UNFINISHED[ending]}
        return _openai_line(custom_id, custom_id, response=None, error=error)


@attrs.frozen
class Anthropic:
    """Lines of Anthropic's Message Batches."""

    endpoint: str = "/v1/messages"

    def fault(self, line: Mapping[str, Any]) -> str | None:
        """Return the first missing or wrong field."""
        if missing := _missing(line, ("custom_id", "params")):
            return missing
        if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", line["custom_id"]):
            return f"custom_id {line['custom_id']!r} must match ^[a-zA-Z0-9_-]{{1,64}}$."
        return None if isinstance(line["params"], dict) else "params must be an object."

    def request(self, line: Mapping[str, Any]) -> Any:
        """Return the ``params``."""
        return line["params"]

    def result(self, custom_id: str, outcome: Outcome, request_id: str) -> dict[str, Any]:
        """Return a result of type succeeded or errored."""
        if outcome.ok:
            return {"custom_id": custom_id, "result": {"type": "succeeded", "message": outcome.body}}
        error = {"type": "error", "error": _error(outcome), "request_id": request_id}
        return {"custom_id": custom_id, "result": {"type": "errored", "error": error}}

    def unfinished(self, custom_id: str, ending: str) -> dict[str, Any] | None:
        """Return a result of type expired, or canceled with one l."""
        return {"custom_id": custom_id, "result": {"type": "canceled" if ending == "cancelled" else ending}}


def parse(raw: bytes) -> Any:
    """Return the JSON value of a line.

    Raises:
        ValueError: It is not JSON in UTF-8, or begins with a byte order mark.
    """
    return json.loads(raw.decode(), parse_constant=_refuse)


def line_fault(value: Any, dialect: Dialect) -> str | None:
    """Return what is wrong with the value of an input line; None if nothing is."""
    return dialect.fault(value) if isinstance(value, dict) else "expected a JSON object."


def _openai_line(custom_id: str, request_id: str, *, response: Any, error: Any) -> dict[str, Any]:
    return {"id": f"batch_req_{request_id}", "custom_id": custom_id, "response": response, "error": error}


def _missing(line: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    missing = next((name for name in names if line.get(name) is None), None)
    if missing:
        return f"missing required field '{missing}'."
    return None if isinstance(line["custom_id"], str) and line["custom_id"] else "custom_id must be a string."


def _error(outcome: Outcome) -> dict[str, Any]:
    return {"type": _NAMES.get(outcome.status or 500, "api_error"), "message": outcome.message}


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
