"""The status of an error inside a response: its number, code, type, status word or class, whoever sent it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async import APIStatusError, BadRequestError, InternalServerError, RateLimitError
from gradient_async._protocol.http.error_body import parse_error_object
from gradient_async._protocol.http.error_detection import find_error
from gradient_async._protocol.http.error_status import find_error_status, is_error_name

CONTEXT = "context_length_exceeded"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        # the number, wherever it stands and however it is written
        ({"code": 429}, 429), ({"code": "429"}, 429), ({"code": " 503 "}, 503), ({"code": 429.0}, 429),
        ({"status": 404, "code": "x"}, 404), ({"status": "404"}, 404), ({"status_code": 402, "code": CONTEXT}, 402),
        ({"statusCode": 413}, 413), ({"http_status": "502"}, 502), ({"code": "503", "type": "invalid_request_error"}, 503),
        # numbers that are no status
        ({"code": 0}, 500), ({"code": 200}, 500), ({"code": True}, 500), ({"code": "1302"}, 500), ({"code": 20015}, 500),
        ({"code": "9" * 5000}, 500), ({"code": float("nan")}, 500), ({"code": "١٢٣"}, 500), ({"code": 1e400}, 500),
        # the code before the type
        ({"code": CONTEXT, "type": "server_error"}, 400), ({"code": CONTEXT}, 400),
        ({"code": "insufficient_quota", "type": "invalid_request_error"}, 429),
        ({"code": "model_not_found", "type": "invalid_request_error"}, 404),
        ({"code": "invalid_api_key", "type": "invalid_request_error"}, 401),
        ({"code": "billing_hard_limit_reached"}, 400), ({"code": "slow_down"}, 429),
        ({"code": "server_is_overloaded", "type": "service_unavailable_error"}, 503),
        # the type, where the code is the server's own
        ({"code": "1302", "type": "rate_limit_error"}, 429), ({"code": "x", "type": "tokens"}, 429),
        ({"code": "provider_error", "type": "server_error"}, 500), ({"code": None, "type": "requests"}, 429),
        # Anthropic
        ({"type": "invalid_request_error"}, 400), ({"type": "authentication_error"}, 401), ({"type": "billing_error"}, 402),
        ({"type": "permission_error"}, 403), ({"type": "not_found_error"}, 404), ({"type": "request_too_large"}, 413),
        ({"type": "rate_limit_error"}, 429), ({"type": "api_error"}, 500), ({"type": "timeout_error"}, 504),
        ({"type": "overloaded_error"}, 529),
        # Google
        ({"status": "INVALID_ARGUMENT"}, 400), ({"status": "UNAUTHENTICATED"}, 401), ({"status": "PERMISSION_DENIED"}, 403),
        ({"status": "NOT_FOUND"}, 404), ({"status": "ABORTED"}, 409), ({"status": "RESOURCE_EXHAUSTED"}, 429),
        ({"status": "CANCELLED"}, 499), ({"status": "INTERNAL"}, 500), ({"status": "UNIMPLEMENTED"}, 501),
        ({"status": "UNAVAILABLE"}, 503), ({"status": "DEADLINE_EXCEEDED"}, 504), ({"status": "FAILED_PRECONDITION"}, 400),
        # vLLM and SGLang
        ({"object": "error", "type": "BadRequestError"}, 400), ({"type": "NotFoundError"}, 404),
        ({"type": "Bad Request"}, 400), ({"type": "Internal Server Error"}, 500), ({"type": "InternalServerError"}, 500),
        # llama.cpp
        ({"type": "exceed_context_size_error"}, 400), ({"type": "unavailable_error"}, 503),
        ({"type": "not_supported_error"}, 501), ({"type": "server_error"}, 500),
        # LiteLLM
        ({"type": "ContextWindowExceededError"}, 400), ({"type": "ContentPolicyViolationError"}, 400),
        ({"type": "AuthenticationError"}, 401), ({"type": "PermissionDeniedError"}, 403), ({"type": "RateLimitError"}, 429),
        ({"type": "ServiceUnavailableError"}, 503), ({"type": "BadGatewayError"}, 502), ({"type": "Timeout"}, 504),
        ({"type": "APIConnectionError"}, 502), ({"type": "APIError"}, 500), ({"type": "BudgetExceededError"}, 402),
        ({"type": None, "message": "litellm.RateLimitError: busy"}, 429),
        ({"message": "litellm.BadRequestError: OpenAIException - too long"}, 400),
        ({"message": "litellm.exceptions.NotFoundError: no such model"}, 404), ({"message": "RateLimitError: busy"}, 500),
        # AWS Bedrock
        ({"type": "ThrottlingException"}, 429), ({"type": "ValidationException"}, 400), ({"code": "AccessDeniedException"}, 403),
        ({"type": "ServiceQuotaExceededException"}, 429), ({"type": "ModelTimeoutException"}, 504),
        ({"type": "InternalServerException"}, 500), ({"type": "ModelErrorException"}, 500),
        # TGI, Groq
        ({"error_type": "validation"}, 400), ({"error_type": "overloaded"}, 529), ({"code": "tool_use_failed"}, 400),
        # the service's own id
        ({"id": "too_many_requests"}, 429), ({"id": "forbidden"}, 403), ({"id": "gone"}, 410), ({"id": "server_error"}, 500),
        ({"id": "payment_required"}, 402), ({"id": "chatcmpl-404"}, 500),
        # nothing known
        ({}, 500), ({"code": " 429\x1f"}, 429), ({"code": "0\x1c"}, 500), ({"type": "newer"}, 500), ({"type": 5, "code": [], "status": {}}, 500),
    ],
)  # fmt: skip
def test_the_status_follows_number_code_type_and_word(error: dict[str, Any], status: int) -> None:
    assert find_error_status(error) == status
    found = parse_error_object(
        {"error": {"message": "m", **error}, "id": "chatcmpl-1", "object": "chat.completion.chunk"}
    )
    assert found.status == status


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({"error": {"message": "m"}, "status": 429}, RateLimitError),
        ({"error": {"message": "m", "type": "x"}, "code": "400"}, BadRequestError),
        ({"error": "m", "code": CONTEXT}, BadRequestError),
        ({"error": 429, "message": "m"}, RateLimitError),
        ({"error": "Too Many Requests", "message": "m", "statusCode": 429}, RateLimitError),
        ([{"error": {"message": "m", "code": 429}}], RateLimitError),
        ([None, {"message": "m", "code": "400"}], BadRequestError),
        ({"errors": [{"message": "m", "code": 429}], "success": False}, RateLimitError),
    ],
)
def test_a_number_beside_the_error_or_in_a_list_counts(value: Any, kind: type[APIStatusError]) -> None:
    error = find_error(value)
    assert type(error) is kind
    assert error.message in ("m", "Too Many Requests")


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({"id": "gen-77", "choices": [], "error": {"code": 502, "message": "died"}}, None),
        ({"id": "gen-77", "object": "chat.completion.chunk", "error": "died"}, None),
        ({"id": "gen-77", "error": {"code": "upstream", "message": "died"}}, "upstream"),
        ({"id": "gen-77", "error": {"message": "died"}}, None),
        ({"id": "too_many_requests", "message": "died"}, "too_many_requests"),
        ({"error": {"message": "died", "code": 429, "status": "RESOURCE_EXHAUSTED"}}, "RESOURCE_EXHAUSTED"),
        ({"error": {"message": "died", "code": "429"}}, "429"),
        ({"type": "error", "error": {"message": "died", "type": "overloaded_error"}}, "overloaded_error"),
        ({"type": "error", "message": "died"}, None),
    ],
)
def test_the_code_is_never_the_id_of_a_chunk(value: Any, code: str | None) -> None:
    error = find_error(value)
    assert error is not None
    assert (error.code, error.message) == (code, "died")


@pytest.mark.parametrize(
    "value",
    [
        None, [], {}, 5, "error", [1], [[]], {"error": None}, {"error": {}, "choices": []}, {"error": False},
        {"error": {"message": None, "code": None}, "choices": [{}]}, {"choices": [{"error": None}, 5]}, {"message": ""},
        {"message": {"id": "m"}, "type": "message_start"}, {"type": "ping"}, {"type": "progress", "message": "half"},
        {"choices": [{}], "message": "m"}, {"id": "m", "content": []},
    ],
)  # fmt: skip
def test_a_value_that_tells_of_no_error_is_none(value: Any) -> None:
    assert find_error(value) is None


def test_names_are_known_in_any_spelling() -> None:
    names = ["server_error", "ServerError", "rate-limit", "RATE_LIMIT", "rateLimitExceeded", "error", "my_error"]
    assert all(map(is_error_name, names))
    assert not any(map(is_error_name, ["ping", "progress", "message", "", None, 5, {}]))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.sampled_from(["error", "429"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "errors", "code", "type", "status", "message", "detail", "id", "choices"]), inner
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_value_gives_an_error_with_a_class_of_its_status(value: Any) -> None:
    for error in (parse_error_object(value), find_error(value)):
        if error is not None:
            assert 400 <= error.status <= 599
            assert isinstance(error, InternalServerError) == (error.status >= 500)
            assert error.code is None or isinstance(error.code, str)
            json.dumps(error.details, default=str)
