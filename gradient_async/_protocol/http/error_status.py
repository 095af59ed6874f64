"""The HTTP status of an error that came inside a response with a success status.

It decides the class of the error, and so whether a caller tries again: an oversized prompt must not look like a failure
that may pass. In this order:

1. the number that the error states, as a number or as digits in a text: ``"code": 429``, ``"status": "503"``
2. its code, if it is one of those below: ``"context_length_exceeded"``
3. its type: ``"rate_limit_error"``, ``"BadRequestError"``
4. its status, where that is a word: ``"RESOURCE_EXHAUSTED"``
5. the class of LiteLLM at the beginning of its message: ``"litellm.NotFoundError: ..."``
6. else 500

Names are compared without their spelling: ``RateLimitError``, ``rate_limit_error`` and ``rate-limit`` are one name.

Contract: pure.

Source: "HTTP Statuses" of the inference overview; the error references of OpenAI, Anthropic, Google (google.rpc.Code),
AWS Bedrock, Mistral and OpenRouter; the sources of vLLM, SGLang, llama.cpp, TGI and LiteLLM.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

DEFAULT_STATUS = 500
_NUMBER_FIELDS = ("status_code", "statusCode", "http_status", "status", "code", "http_code", "error")
_NAME_FIELDS = ("code", "type", "error_type", "status", "reason")
_LITELLM_CLASS = re.compile(r"\s*litellm\.(?:\w+\.)*(\w+)")
_WORD_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^a-zA-Z0-9]+")
_SUFFIXES = ("_exception", "_error")

_NAMES_BY_STATUS = {
    400: "bad_request invalid_request invalid_argument invalid_prompt invalid_value invalid_type invalid_parameter "
    "invalid_parameter_value missing_required_parameter unsupported_parameter unsupported_value unsupported_params "
    "unknown_parameter out_of_range failed_precondition validation json_schema_validation invalid_schema "
    "context_length_exceeded context_window_exceeded exceed_context_size context_size_exceeded context_length "
    "max_tokens_exceeded token_limit_exceeded prompt_too_long string_above_max_length string_too_long "
    "content_policy_violation content_filter content_filter_blocked tool_use_failed json_validate_failed "
    "invalid_image invalid_base64 invalid_function_parameters invalid_json billing_hard_limit_reached",
    401: "unauthorized unauthenticated authentication invalid_api_key incorrect_api_key invalid_authentication "
    "account_deactivated expired_token unrecognized_client",
    402: "payment_required billing billing_not_active insufficient_credits insufficient_balance insufficient_funds "
    "budget_exceeded",
    403: "forbidden permission permission_denied access_denied access_terminated not_allowed model_not_allowed "
    "unsupported_country_region_territory",
    404: "not_found model_not_found resource_not_found deployment_not_found no_such_model unknown_model",
    405: "method_not_allowed",
    408: "request_timeout",
    409: "conflict aborted already_exists",
    410: "gone",
    412: "precondition_failed",
    413: "request_too_large payload_too_large content_too_large request_entity_too_large",
    422: "unprocessable_entity unprocessable",
    429: "too_many_requests rate_limit rate_limited rate_limit_exceeded rate_limit_reached resource_exhausted "
    "insufficient_quota quota_exceeded exceeded_quota service_quota_exceeded throttling throttled capacity_exceeded "
    "service_tier_capacity_exceeded slow_down requests tokens model_not_ready",
    499: "cancelled request_cancelled client_closed_request",
    500: "server api internal internal_server internal_failure unknown data_loss model_stream model",
    501: "unimplemented not_implemented not_supported",
    502: "bad_gateway upstream provider_unavailable api_connection",
    503: "service_unavailable unavailable server_overloaded server_is_overloaded engine_overloaded model_overloaded "
    "no_available_workers",
    504: "gateway_timeout timeout deadline_exceeded model_timeout upstream_timeout api_timeout",
    529: "overloaded",
}
_STATUS_BY_NAME = {name: status for status, names in _NAMES_BY_STATUS.items() for name in names.split()}


def find_error_status(*objects: Mapping[str, Any]) -> int:
    """Return the HTTP status of an error by its *objects*: the error itself, then the one around it."""
    stated = (_parse_status(fields.get(name)) for fields in objects for name in _NUMBER_FIELDS)
    return next((status for status in stated if status is not None), 0) or _find_named_status(objects)


def is_error_name(name: object) -> bool:
    """Whether *name*, the type of an event or object, is that of an error."""
    return isinstance(name, str) and ("error" in name.lower() or _normalize_name(name) in _STATUS_BY_NAME)


def _find_named_status(objects: tuple[Mapping[str, Any], ...]) -> int:
    known = (_STATUS_BY_NAME.get(_normalize_name(name)) for name in _iter_names(objects))
    return next((status for status in known if status is not None), DEFAULT_STATUS)


def _iter_names(objects: tuple[Mapping[str, Any], ...]) -> Iterator[str]:
    """Iterate over the names that may stand for a status, the most specific first."""
    yield from (name for field in _NAME_FIELDS for each in objects if isinstance(name := each.get(field), str))
    for fields in objects:
        message = fields.get("message")
        if isinstance(message, str) and (match := _LITELLM_CLASS.match(message)):
            yield match[1]
    yield from (name for each in objects if isinstance(name := each.get("id"), str))


def _normalize_name(name: str) -> str:
    """Return *name* in lower case with underscores between its words, without ``error`` at its end."""
    words = _WORD_BOUNDARY.sub("_", name[:100]).strip("_").lower()
    for suffix in _SUFFIXES:
        words = words.removesuffix(suffix)
    return words


def _parse_status(value: object) -> int | None:
    """Return the HTTP status that *value* states, as a number or as digits; None if it is none."""
    if isinstance(value, str) and (digits := value.strip()).isascii() and digits.isdigit() and len(value) < 20:
        value = int(digits)  # not the text itself, which may end in controls that only `strip` takes for spaces
    is_status = type(value) in (int, float) and 400 <= value <= 599 and value == int(value)  # type: ignore[operator,call-overload]  # a number
    return int(value) if is_status else None  # type: ignore[call-overload]  # a number
