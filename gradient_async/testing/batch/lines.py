"""The lines of input and output files, in the formats of the two providers.

Contract: pure. The fields of a line are checked when the input file is validated, its request when it is executed.
Source: the Batch Inference reference, which names the input schemas of the OpenAI Batch API and of Anthropic's
Message Batches; output lines follow those two vendors' published schemas.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol

import attrs

from gradient_async.testing.replies import parse_json

_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    529: "overloaded_error",
}
_UNFINISHED_MESSAGES = {
    "expired": "This request could not be executed before the completion window expired.",
    "cancelled": "This request was not executed, because the batch was cancelled.",
}


@attrs.frozen(kw_only=True)
class Outcome:
    """The outcome of one request.

    Attributes:
        status: The HTTP status; None for a request without a response.
        body: The body of a successful response.
        code: The code of the error.
        message: The message of the error.
    """

    status: int | None
    body: Any = None
    code: str = ""
    message: str = ""

    @property
    def ok(self) -> bool:
        """Whether the request succeeded."""
        return self.status == 200


class LineFormat(Protocol):
    """The line format of a provider."""

    @property
    def endpoint(self) -> str:
        """The path of the endpoint."""

    def check_line(self, line: Mapping[str, Any]) -> str | None:
        """Return the first problem of an input line; None for a valid one."""

    def read_request(self, line: Mapping[str, Any]) -> Any:
        """Return the request body of an input line."""

    def format_result(self, custom_id: str, outcome: Outcome, request_id: str) -> dict[str, Any]:
        """Return the output line of an executed request."""

    def format_unfinished(self, custom_id: str, ending: str) -> dict[str, Any] | None:
        """Return the output line of a request that was not executed; None for no line.

        Args:
            custom_id: The id of the line.
            ending: The reason, ``"expired"`` or ``"cancelled"``.
        """


@attrs.frozen
class OpenAILines:
    """Lines of the OpenAI Batch API."""

    endpoint: str

    def check_line(self, line: Mapping[str, Any]) -> str | None:
        """Return the first missing or invalid field."""
        if missing := _check_required(line, ("custom_id", "method", "url", "body")):
            return missing
        if line["method"] != "POST":
            return f"method must be POST, got {line['method']!r}."
        if line["url"] != self.endpoint:
            return f"url {line['url']!r} does not match the endpoint {self.endpoint!r} of the batch."
        return None if isinstance(line["body"], dict) else "body must be an object."

    def read_request(self, line: Mapping[str, Any]) -> Any:
        """Return the ``body``."""
        return line["body"]

    def format_result(self, custom_id: str, outcome: Outcome, request_id: str) -> dict[str, Any]:
        """Return a line with the response, or with an error if there is no response."""
        if outcome.status is None:
            error = {"code": outcome.code, "message": outcome.message}
            return _openai_line(custom_id, request_id, response=None, error=error)
        body = outcome.body if outcome.ok else {"error": _error_object(outcome) | {"code": outcome.code or None}}
        response = {"status_code": outcome.status, "request_id": request_id, "body": body}
        return _openai_line(custom_id, request_id, response=response, error=None)

    def format_unfinished(self, custom_id: str, ending: str) -> dict[str, Any] | None:
        """Return a line with an error for an expired request; None for a cancelled one."""
        if ending == "cancelled":
            return None
        error = {"code": f"batch_{ending}", "message": _UNFINISHED_MESSAGES[ending]}
        return _openai_line(custom_id, custom_id, response=None, error=error)


@attrs.frozen
class AnthropicLines:
    """Lines of Anthropic's Message Batches."""

    endpoint: str = "/v1/messages"

    def check_line(self, line: Mapping[str, Any]) -> str | None:
        """Return the first missing or invalid field."""
        if missing := _check_required(line, ("custom_id", "params")):
            return missing
        if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", line["custom_id"]):
            return f"custom_id {line['custom_id']!r} must match ^[a-zA-Z0-9_-]{{1,64}}$."
        return None if isinstance(line["params"], dict) else "params must be an object."

    def read_request(self, line: Mapping[str, Any]) -> Any:
        """Return the ``params``."""
        return line["params"]

    def format_result(self, custom_id: str, outcome: Outcome, request_id: str) -> dict[str, Any]:
        """Return a result of type succeeded or errored."""
        if outcome.ok:
            return {"custom_id": custom_id, "result": {"type": "succeeded", "message": outcome.body}}
        error = {"type": "error", "error": _error_object(outcome), "request_id": request_id}
        return {"custom_id": custom_id, "result": {"type": "errored", "error": error}}

    def format_unfinished(self, custom_id: str, ending: str) -> dict[str, Any] | None:
        """Return a result of type expired, or canceled with one l."""
        return {"custom_id": custom_id, "result": {"type": "canceled" if ending == "cancelled" else ending}}


def parse_line(raw: bytes) -> Any:
    """Return the JSON value of a line.

    Raises:
        ValueError: The line is not JSON in UTF-8, or begins with a byte order mark.
    """
    return parse_json(raw.decode())


def _openai_line(custom_id: str, request_id: str, *, response: Any, error: Any) -> dict[str, Any]:
    return {"id": f"batch_req_{request_id}", "custom_id": custom_id, "response": response, "error": error}


def _check_required(line: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    missing = next((name for name in names if line.get(name) is None), None)
    if missing:
        return f"missing required field '{missing}'."
    return None if isinstance(line["custom_id"], str) and line["custom_id"] else "custom_id must be a string."


def _error_object(outcome: Outcome) -> dict[str, Any]:
    return {"type": _ERROR_TYPES.get(outcome.status or 500, "api_error"), "message": outcome.message}
