"""Error bodies of every shape become the error class of their status."""

import pickle

import pytest

from gradient_async import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    InternalServerError,
    NotFoundError,
    PaymentRequiredError,
    PermissionDeniedError,
    PreconditionFailedError,
    RateLimitError,
    UnprocessableEntityError,
)
from gradient_async._protocol.http.error_body import build_status_error

NOW = 1_700_000_000.0

CLASSES = [
    (400, BadRequestError), (401, AuthenticationError), (402, PaymentRequiredError), (403, PermissionDeniedError),
    (404, NotFoundError), (409, ConflictError), (412, PreconditionFailedError), (422, UnprocessableEntityError),
    (429, RateLimitError), (500, InternalServerError), (502, InternalServerError), (529, InternalServerError),
    (418, APIStatusError),
]  # fmt: skip


@pytest.mark.parametrize(("status", "kind"), CLASSES)
def test_each_status_has_its_error_class(status: int, kind: type[APIStatusError]) -> None:
    error = build_status_error(status, {}, b'{"id": "x", "message": "m", "request_id": "r"}', now=NOW)
    assert type(error) is kind
    assert (error.status, error.code, error.message, error.request_id) == (status, "x", "m", "r")
    assert str(status) in str(error)
    assert "r" in str(error)


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (b'{"id": "forbidden", "message": "No."}', "forbidden", "No."),
        (b'{"error": {"message": "No.", "type": "t", "code": "c"}}', "c", "No."),
        (b'{"error": {"message": "No.", "type": "t", "code": null}}', "t", "No."),
        (b'{"type": "error", "error": {"type": "overloaded_error", "message": "No."}}', "overloaded_error", "No."),
        (b'{"error": "No."}', None, "No."),
        (b'{"detail": "No."}', None, "No."),
        (b'{"detail": [{"loc": ["body", "messages"], "msg": "required", "input": "PROMPT"}]}', None,
         "body.messages: required"),
        (b'{"message": "No."}', None, "No."),
    ],
)  # fmt: skip
def test_every_shape_of_error_body_gives_code_and_message(body: bytes, code: str | None, message: str) -> None:
    error = build_status_error(400, {}, body, now=NOW)
    assert (error.code, error.message) == (code, message)


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (b"<html><head><title>502 Bad Gateway</title></head></html>", "502 Bad Gateway"),
        (b"", "no explanation"),
        (b"\xff\xfe", "\ufffd"),
        (b"[1, 2]", "[1, 2]"),
        (b'{id: "too_many_requests"}', "too_many_requests"),
        (b"x" * 100_000, "xxx..."),
    ],
)
def test_an_unreadable_error_body_leaves_a_short_excerpt(body: bytes, part: str) -> None:
    error = build_status_error(502, {"x-request-id": "r"}, body, now=NOW)
    assert part in error.message
    assert len(error.message) < 300
    assert error.request_id == "r"


def test_a_giant_error_message_is_shortened() -> None:
    body = b'{"id": "x", "message": "' + b"m" * 100_000 + b'"}'
    assert len(str(build_status_error(400, {}, body, now=NOW))) < 1100


@pytest.mark.parametrize(
    ("body", "details"),
    [
        (b'{"id": "x", "message": "m", "request_id": "r"}', {"id": "x", "request_id": "r"}),
        (b'{"error": {"message": "m", "type": "t", "param": "n", "code": 429}}', {"type": "t", "param": "n", "code": 429}),
        (b'{"error": {"message": "m", "metadata": {"raw": "busy"}}, "user": "u"}', {"metadata": {"raw": "busy"}, "user": "u"}),
        (b'{"error": "m", "param": null}', {}),
        (b'{"detail": [{"loc": ["body"], "msg": "m"}]}', {"detail": [{"loc": ["body"], "msg": "m"}]}),
        (b"<html>", {}),
        (b"[1]", {}),
    ],
)  # fmt: skip
def test_details_are_what_stands_beside_the_message(body: bytes, details: dict[str, object]) -> None:
    assert build_status_error(400, {}, body, now=NOW).details == details


@pytest.mark.parametrize(
    ("body", "kept"),
    [(b'{"id": "x"}', {"id": "x"}), (b"<h1>Bad</h1>", "<h1>Bad</h1>"), (b"", ""), (b"[1]", [1])],
)
def test_the_error_body_is_kept_decoded(body: bytes, kept: object) -> None:
    assert build_status_error(400, {}, body, now=NOW).body == kept


@pytest.mark.parametrize(
    "body",
    [
        b'{"message": "' + b"m" * 60_000 + b'"}',
        b"x" * 60_000,
        b'{"error": {"message": "m", "metadata": "' + b"y" * 60_000 + b'"}}',
        b'{"error": {"message": "m", "metadata": ' + b"[" * 30_000 + b"]" * 30_000 + b"}}",
        b'{"error": {"message": "m", "metadata": ' + b"[" * 200 + b"]" * 200 + b"}}",
        b'{"error": {"message": "m", ' + b", ".join(b'"k%d": 1' % n for n in range(5_000)) + b"}}",
        b'{"message": "m", "number": ' + b"9" * 5_000 + b"}",
    ],
    ids=["message", "text", "detail", "deep", "deeper than kept", "many details", "number"],
)
def test_what_is_kept_of_an_error_body_is_bounded_and_pickles(body: bytes) -> None:
    error = build_status_error(400, {}, body, now=NOW)
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.body, copy.details) == (error.body, error.details)
    assert len(repr(error.body)) < 9_000
    assert len(repr(error.details)) < 9_000


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"ratelimit-reset": "1700000030"}, 30),
        ({"ratelimit-reset": "1699999999"}, 1),  # truncated, and past when it arrives
        ({"x-ratelimit-reset-requests": "1699999999", "ratelimit-reset": "1700000030", "ratelimit-remaining": "9"}, 1),
        (
            {
                "x-ratelimit-reset-requests": "1700000040",
                "x-ratelimit-remaining-tokens-per-day": "9",
                "x-ratelimit-reset-tokens-per-day": "1700000009",
            },
            40,
        ),
        ({"ratelimit-reset": "1700000030", "ratelimit-remaining": "9"}, None),
        ({"x-ratelimit-reset-requests": "0", "x-ratelimit-reset-tokens-per-minute": "1700000005"}, 5),
        ({"x-ratelimit-reset-requests": "1700000040", "x-ratelimit-reset-tokens-per-day": "1700007200"}, 40),
        ({"Date": "Tue, 14 Nov 2023 22:13:10 GMT", "ratelimit-reset": "1700000030"}, 40),
        ({"Retry-After": "7", "ratelimit-reset": "1700000030"}, 7),
        ({}, None),
    ],
)
def test_retry_after_of_a_429_falls_back_to_the_soonest_reset(headers: dict[str, str], seconds: float | None) -> None:
    headers = {"x-ratelimit-remaining-requests": "0", **headers}
    error = build_status_error(429, headers, b"{}", now=NOW)
    assert error.retry_after == seconds
    assert (f"{seconds} s" in str(error)) is (seconds is not None)


@pytest.mark.parametrize("status", [400, 500, 503])
def test_other_statuses_do_not_wait_for_a_reset(status: int) -> None:
    assert build_status_error(status, {"ratelimit-reset": "1700000030"}, b"{}", now=NOW).retry_after is None


HTML = b"<html><head><title>404 Not Found</title></head><body>nginx</body></html>"
OWN = b'{"id": "unavailable", "message": "Not now.", "request_id": "r"}'
UPSTREAM = b'{"error": {"message": "Not now.", "type": "overloaded"}}'


@pytest.mark.parametrize(
    ("status", "body", "maybe_sent"),
    [
        (503, OWN, False),
        *[(503, body, True) for body in (UPSTREAM, HTML, b"", b"{", b'{"message": "m"}', b'{"id": "x"}', b"[1]")],
        *[(status, OWN, True) for status in (408, 500, 502, 504, 520, 529)],
        *[(status, body, False) for status in (400, 401, 404, 413, 429, 501) for body in (OWN, HTML)],
    ],
)
def test_only_the_services_own_503_was_surely_not_processed(status: int, body: bytes, *, maybe_sent: bool) -> None:
    assert build_status_error(status, {}, body, now=NOW).maybe_sent is maybe_sent


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 500, 502, 503, 504])
@pytest.mark.parametrize("body", [HTML, b"404 page not found\n", b"upstream connect error"])
def test_a_page_is_told_for_a_gateways(status: int, body: bytes) -> None:
    error = build_status_error(status, {}, body, now=NOW)
    assert "gateway" in error.message
    assert "session.models.list()" not in str(error)
    assert "Check the key" not in str(error)


@pytest.mark.parametrize(("status", "part"), [(404, "session.models.list()"), (401, "Check the key")])
def test_the_services_own_error_has_the_advice_of_its_status(status: int, part: str) -> None:
    assert part in str(build_status_error(status, {}, OWN, now=NOW))


@pytest.mark.parametrize("body", [OWN, UPSTREAM, HTML, b""])
def test_a_service_that_cannot_do_something_promises_nothing(body: bytes) -> None:
    assert "may work later" not in str(build_status_error(501, {}, body, now=NOW))
    assert "may work later" in str(build_status_error(503, {}, body, now=NOW))


@pytest.mark.parametrize("body", [OWN, HTML])
def test_an_error_with_advice_of_its_own_keeps_it_when_pickled(body: bytes) -> None:
    error = build_status_error(404, {}, body, now=NOW)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def quota(kind: str, limit: int | None, remaining: int | None, seconds: float) -> dict[str, str]:
    """Return the headers of one quota, of a model or with an empty *kind* of the key."""
    names = [f"x-ratelimit-{name}-{kind}" if kind else f"ratelimit-{name}" for name in ("limit", "remaining", "reset")]
    values = (limit, remaining, f"{NOW + seconds:.0f}")
    return {name: str(value) for name, value in zip(names, values, strict=True) if value is not None}


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        (quota("", 5000, 0, 41), "The service states: 0 of 5000 requests left for this key, reset in 41 s."),
        (quota("requests", 120, 0, 12), "0 of 120 requests per minute left for this model, reset in 12 s"),
        (quota("tokens-per-minute", 750_000, 0, 7), "0 of 750000 tokens per minute left for this model, reset in 7 s"),
        (quota("tokens-per-day", 90, 0, 3600), "0 of 90 tokens per day left for this model, reset in 3600 s"),
        (quota("requests", 120, 0, 12) | quota("", 5000, 4000, 41), "states: 0 of 120 requests per minute left for this model, reset in 12 s. Try"),
        (quota("requests", 9, 4, 12) | quota("", 5000, 0, 41), "states: 0 of 5000 requests left for this key, reset in 41 s. Try"),
        (quota("requests", 9, 0, 12) | quota("tokens-per-day", 8, 0, 99), "model, reset in 12 s; 0 of 8 tokens per day left"),
        (quota("", 5000, 4200, 41), "4200 of 5000 requests left for this key"),  # the minute of a burst is not stated
        (quota("requests", 120, None, 12), "limit of 120 requests per minute for this model, reset in 12 s"),
        (quota("requests", None, 0, -5), "states: 0 requests per minute left for this model. Try"),
        (quota("", 5000, 0, 1e12), "states: 0 of 5000 requests left for this key. Try"),  # on an unknown clock
        ({"Retry-After": "7"} | quota("", 5000, 0, 41), "for this key, reset in 41 s. Try again in 7 s"),
        ({"Retry-After": "7"}, "(429) Try again in 7 s"),
        ({"ratelimit-reset": f"{NOW + 41:.0f}"}, "(429) Try again in 41 s"),
    ],
)  # fmt: skip
def test_a_429_says_the_numbers_of_what_is_spent(headers: dict[str, str], text: str) -> None:
    assert text in str(build_status_error(429, headers, b'{"message": "Slow down."}', now=NOW))


def test_the_numbers_of_a_429_survive_pickling() -> None:
    error = build_status_error(429, quota("", 5000, 0, 41), b"{}", now=NOW)
    assert isinstance(error, RateLimitError)
    assert (
        pickle.loads(pickle.dumps(error)).quota == error.quota == "0 of 5000 requests left for this key, reset in 41 s"
    )


def test_other_errors_than_429_name_no_quota() -> None:
    assert "5000" not in str(build_status_error(400, quota("", 5000, 0, 41), b"{}", now=NOW))
