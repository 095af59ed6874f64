"""The exception tree: parents, pickling, messages."""

import pickle
import unicodedata
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gradient_async.errors as module
from gradient_async import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AsyncInvocation,
    AsyncSession,
    BatchFailedError,
    BatchValidationError,
    ChatCompletion,
    CheckpointError,
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
    Video,
    VideoFailedError,
)
from gradient_async.errors import InterruptedCall

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
    CheckpointError("m"),
    BatchValidationError("m", faults=["f"], total=7),
    BatchFailedError("m"),
    InvocationFailedError("m", invocation=AsyncInvocation(request_id="r", status="FAILED", error="e")),
    VideoFailedError("m", video=Video(id="v", status="failed", error="e")),
    UploadError("m", status=403, code="AccessDenied"),
]


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_pickles_with_its_attributes(error: GradientError) -> None:
    if isinstance(error, InterruptedCall):
        error.snapshot = ChatCompletion(id="c")
        error.messages = [{"role": "user", "content": "Hi"}, Message(content="Hello")]
    error.request_id, error.attempts = "r", 3
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert (str(copy), copy.__dict__) == (str(error), error.__dict__)


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_only_an_error_that_can_interrupt_a_call_has_a_partial_result(error: GradientError) -> None:
    kinds = SessionClosedError, APIConnectionError, APIStatusError, ToolRoundsError, ProtocolError
    assert hasattr(error, "snapshot") == hasattr(error, "messages") == isinstance(error, kinds)


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


def test_every_error_is_drawn_in_the_docstring_and_is_a_gradient_error() -> None:
    classes = [item for item in vars(module).values() if isinstance(item, type) and issubclass(item, Exception)]
    assert all(issubclass(cls, GradientError) for cls in classes)
    assert all(cls.__name__ in (module.__doc__ or "") for cls in classes)


def test_str_of_a_status_error_has_status_code_and_request_id() -> None:
    error = RateLimitError("Too fast.", code="too_many_requests", request_id="r-1")
    assert str(error).startswith("Too fast. (429, too_many_requests, request r-1)")


def test_str_of_a_status_error_gives_advice() -> None:
    assert "key" in str(module.AuthenticationError("Unable to authenticate you."))


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_every_error_says_whether_the_request_may_have_been_processed(error: GradientError) -> None:
    assert error.maybe_sent in (True, False)


@pytest.mark.parametrize(
    ("status", "maybe_sent"),
    [
        *[(status, False) for status in (400, 401, 402, 403, 404, 409, 412, 413, 422, 429, 501, 505, 511)],
        *[(status, True) for status in (408, 500, 502, 503, 504, 520, 524, 529)],
    ],
)
def test_a_status_tells_whether_the_request_may_have_been_processed(status: int, maybe_sent: bool) -> None:
    assert APIStatusError("m", status=status).maybe_sent is maybe_sent
    assert UploadError("m", status=status).maybe_sent is maybe_sent


def test_body_and_details_of_a_status_error_pickle_and_are_not_shown() -> None:
    error = APIStatusError(
        "m", status=400, body={"error": {"message": "m", "input": "PROMPT"}}, details={"a": "PROMPT"}
    )
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.body, copy.details) == (error.body, error.details)
    assert "PROMPT" not in f"{error} {error!r}"


@pytest.mark.parametrize("name", ["message", "code", "request_id"])
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", r"a\nb"),
        ("a\r\n2026 ERROR forged", r"a\r\n2026 ERROR forged"),
        ("\x1b[1mbold\x07", r"\x1b[1mbold\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("one\u2028two\x85three", r"one\u2028two\x85three"),
        ("\u202etxet", r"\u202etxet"),
        ("half \ud83d", r"half \ud83d"),
        ("schön\u00a0日本\u3000\U0001f600", "schön\u00a0日本\u3000\U0001f600"),
    ],
)
def test_str_of_an_error_is_one_line_without_control_characters(name: str, text: str, shown: str) -> None:
    message, code, request_id = (text if name == field else "x" for field in ("message", "code", "request_id"))
    error = APIStatusError(message, status=400, code=code, request_id=request_id)
    assert shown in str(error)
    assert all(c.isprintable() or c in "\u00a0\u3000" for c in str(error))
    str(error).encode()


@pytest.mark.parametrize("name", ["message", "code", "request_id"])
def test_str_of_an_error_is_bounded(name: str) -> None:
    message, code, request_id = ("x" * 60_000 if name == field else "x" for field in ("message", "code", "request_id"))
    assert len(str(APIStatusError(message, status=400, code=code, request_id=request_id))) < 4_300


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("user", "'user'"),
        (None, "None"),
        ("secret prompt. " * 1000, "a text of 15000 characters"),
        ([1] * 1000, "a long list"),
        ({"secret": "prompt" * 20}, "a long dict"),
        (10**5000, "a int with very many digits"),
    ],
    ids=["text", "None", "prompt", "list", "dict", "number"],
)
def test_an_argument_is_quoted_only_if_it_is_short(value: object, quoted: str) -> None:
    assert module.quote_argument(value) == quoted


WRONG_INPUT: Any = [{"text": "My secret prompt. " * 1000}]
SECRET: Any = "My secret prompt. " * 1000
WRONG_CALLS: dict[str, Callable[[AsyncSession], Awaitable[object]]] = {
    "role": lambda s: s.chat.completions.create(model="m", messages=[{"role": SECRET, "content": "user"}]),
    "messages": lambda s: s.chat.completions.create(model="m", messages=SECRET),
    "message": lambda s: s.chat.completions.create(model="m", messages=[SECRET]),
    "role of a message": lambda s: s.messages.create(
        model="m", max_tokens=9, messages=[{"role": SECRET, "content": "user"}]
    ),
    "max_tokens": lambda s: s.messages.create(model="m", max_tokens=SECRET, messages=[]),
    "max_tokens of many digits": lambda s: s.messages.create(
        model="m", max_tokens=-(10**5000), messages=[{"role": "user", "content": "Hi"}]
    ),
    "input": lambda s: s.responses.create(model="m", input=[SECRET]),
    "embeddings": lambda s: s.embeddings.create(model="m", input=WRONG_INPUT),
    "n": lambda s: s.images.generate(model="m", prompt="p", n=-(10**5000)),
    "file name": lambda s: s.batches.create_file(SECRET),
    "extra_headers": lambda s: s.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "Hi"}], extra_headers={SECRET: "x"}
    ),
}


@pytest.mark.parametrize("call", WRONG_CALLS)
async def test_an_error_about_an_argument_shows_no_more_than_its_beginning(call: str) -> None:
    async with AsyncSession("test", limits=None) as session:
        with pytest.raises(GradientError) as caught:
            await WRONG_CALLS[call](session)
    assert len(str(caught.value)) < 400
    assert len(repr(caught.value)) < 400
    assert str(caught.value).count("secret") <= 5


@given(st.text(alphabet=st.characters()), st.integers(1, 50))
def test_any_text_is_shown_on_one_bounded_line(text: str, chars: int) -> None:
    shown = module.escape_text(text, chars)
    assert len(shown.splitlines()) <= 1
    assert len(shown) <= 10 * chars + 3
    shown.encode()
    assert not any(unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") for character in shown)
