"""The exception tree."""

import pickle

import pytest

import gradient_async.errors as module
from gradient_async import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AsyncInvocation,
    BatchFailedError,
    BatchValidationError,
    ChatCompletion,
    ConfigurationError,
    GradientError,
    InternalServerError,
    InvocationFailedError,
    Message,
    ProtocolError,
    RateLimitError,
    RateLimitInfo,
    ResponseDecodeError,
    SessionClosedError,
    StreamBusyError,
    StreamTruncatedError,
    ToolRoundsError,
    UploadError,
)

EXAMPLES = [
    ConfigurationError("m"),
    SessionClosedError("m"),
    StreamBusyError("m"),
    APIConnectionError("m", maybe_sent=True),
    APITimeoutError("m", phase="idle", maybe_sent=True),
    RateLimitError("m", code="c", request_id="r", retry_after=2.0, rate_limit=RateLimitInfo(limit=5000)),
    InternalServerError("m", status=503),
    ProtocolError("m"),
    ResponseDecodeError("m", path="$.a", body="b"),
    StreamTruncatedError("m"),
    ToolRoundsError("m"),
    BatchValidationError("m", faults=["f"], total=7),
    BatchFailedError("m"),
    InvocationFailedError("m", invocation=AsyncInvocation(request_id="r", status="FAILED", error="e")),
    UploadError("m", status=403, code="AccessDenied"),
]


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_pickles_whole(error: GradientError) -> None:
    error.snapshot = ChatCompletion(id="c")
    error.messages = [{"role": "user", "content": "Hi"}, Message(content="Hello")]
    error.attempts = 3
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert (str(copy), copy.__dict__) == (str(error), error.__dict__)


@pytest.mark.parametrize(
    ("error", "parent"),
    [
        (ConfigurationError, ValueError),
        (SessionClosedError, RuntimeError),
        (APITimeoutError, TimeoutError),
        (APITimeoutError, APIConnectionError),
        (RateLimitError, APIStatusError),
        (StreamTruncatedError, ProtocolError),
        (BatchValidationError, module.BatchError),
    ],
)
def test_an_error_is_caught_by_its_standard_parent(error: type[Exception], parent: type[Exception]) -> None:
    assert issubclass(error, parent)


def test_every_error_is_drawn_in_the_module_and_belongs_to_the_family() -> None:
    classes = [item for item in vars(module).values() if isinstance(item, type) and issubclass(item, Exception)]
    assert all(issubclass(cls, GradientError) for cls in classes)
    assert all(cls.__name__ in (module.__doc__ or "") for cls in classes)


def test_a_status_error_says_status_code_and_request() -> None:
    error = RateLimitError("Too fast.", code="too_many_requests", request_id="r-1")
    assert str(error).startswith("Too fast. (429, too_many_requests, request r-1)")


def test_a_status_error_says_what_to_do() -> None:
    assert "key" in str(module.AuthenticationError("Unable to authenticate you."))
