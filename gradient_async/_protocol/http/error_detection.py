"""Detection of errors in responses with a success status: an error must not look like a result.

Contract: pure. Found are

    the error objects of `error_body`, alone or beside parts of a result;
    an error in a choice, ``{"choices": [{"error": ...}]}``, as OpenRouter sends when its upstream died;
    the finish reason ``error``, and ``"choices": null``, of a whole chat completion.

An object that explains something without calling it an error, by ``message``, ``detail`` or ``errors``, is one only if
it has no choices, and no type of another kind: ``{"type": "progress", "message": "half done"}`` is none.
"""

from __future__ import annotations

from typing import Any

from gradient_async._protocol.codec.json_text import decode_json
from gradient_async.errors import APIStatusError, ResponseDecodeError

_LONE_ERROR_FIELDS = frozenset(
    {"error", "type", "object", "code", "status", "message", "param", "detail", "request_id"}
)


def find_error(value: Any) -> APIStatusError | None:
    """Return the error that the JSON value of a response or event stands for, None if it is not an error."""
    return find_stated_error(value) or _find_bare_error(value)


def find_stated_error(value: Any) -> APIStatusError | None:
    """Return the error that a JSON value calls one: by a field ``error``, in a choice too, or by its type."""
    if isinstance(value, list):
        return next((error for item in value if (error := find_stated_error(item))), None)
    if not isinstance(value, dict):
        return None
    error = value.get("error")
    is_error = _is_set(error) or (isinstance(error, dict) and len(value) == 1)
    if is_error or "error" in (value.get("type"), value.get("object")):
        return _build_error(value)
    failed = next((choice["error"] for choice in _choices_of(value) if _is_set(choice.get("error"))), None)
    return None if failed is None else _build_error({"error": failed})


def find_completion_error(value: Any) -> APIStatusError | None:
    """Return the error that the JSON object of a whole chat completion stands for, None if it is an answer."""
    if error := find_error(value):
        return error
    if isinstance(value, dict) and "choices" in value and not value["choices"] and value["choices"] != []:
        return no_choices_error()
    is_failed = isinstance(value, dict) and any(
        is_failure(choice.get("finish_reason")) for choice in _choices_of(value)
    )
    return failed_choice_error() if is_failed else None


def find_lone_error(body: bytes | str) -> APIStatusError | None:
    """Return the error that a JSON object consists of, None if *body* is anything else.

    An object that has more than an error may be a thing that failed, such as a job.
    """
    try:
        value = decode_json(body)
    except ResponseDecodeError:
        return None
    is_error = isinstance(value, dict) and "error" in value and value.keys() <= _LONE_ERROR_FIELDS
    return find_stated_error(value) if is_error else None


def is_failure(finish_reason: object) -> bool:
    """Whether a choice with this finish reason is not an answer but failed."""
    return finish_reason == "error"


def no_choices_error() -> APIStatusError:
    """Return the error of an answer with ``"choices": null``."""
    return _build_error({"message": "The service sent no choices: it generated nothing, and does not say why."})


def failed_choice_error() -> APIStatusError:
    """Return the error of an answer with the finish reason ``error`` and no error object."""
    message = (
        'The service ended the answer with the finish reason "error", and does not say why. .snapshot has the part.'
    )
    return _build_error({"message": message})


def _find_bare_error(value: Any) -> APIStatusError | None:
    """Return the error that a JSON value without a choice is by its message, its detail or its list of errors."""
    if isinstance(value, list):
        return next((error for item in value if (error := _find_bare_error(item))), None)
    if not isinstance(value, dict) or value.get("choices") is not None:
        return None
    from gradient_async._protocol.http.error_status import is_error_name  # results do not get here

    is_other = "type" in value and not is_error_name(value["type"]) and "code" not in value and "status" not in value
    is_error = _is_text(value.get("message")) or value.get("detail") or value.get("errors")
    return _build_error(value) if is_error and not is_other else None


def _build_error(value: dict[str, Any]) -> APIStatusError:
    from gradient_async._protocol.http.error_body import parse_error_object  # many programs never see an error

    return parse_error_object(value)


def _choices_of(value: dict[str, Any]) -> list[dict[str, Any]]:
    choices = value.get("choices")
    return [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_set(error: object) -> bool:
    """Whether the field *error* says anything: an object without a single value does not."""
    return any(map(_is_set, error.values())) if isinstance(error, dict) else bool(error)
