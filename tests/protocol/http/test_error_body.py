"""Errors, rate-limit headers and Retry-After in all their forms."""

import time

import pytest
from multidict import CIMultiDict

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
from gradient_async._protocol.http.rate_limit_headers import parse_rate_limits, parse_retry_after

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("20", 20),
        ("1.5", 1.5),
        ("0", 0),
        ("1e3", 1000),
        ("99999999999999999999999999999999999", 1e35),
        ("-10", None),
        ("nan", None),
        ("inf", None),
        ("", None),
        (None, None),
        ("soon", None),
        ("Tue, 14 Nov 2023 22:13:40 GMT", 20),
        ("Tue, 14 Nov 2023 22:13:00 GMT", 0),
        ("Tue, 14 Nov 100000 22:13:40 GMT", None),
    ],
)
def test_retry_after_is_read_in_every_form(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, now=NOW) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize("date", ["Tue Nov 14 22:13:40 2023", "Tue, 14 Nov 2023 22:13:40 -0000"])
def test_a_date_without_a_zone_is_in_gmt_wherever_it_is_read(monkeypatch: pytest.MonkeyPatch, date: str) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert parse_retry_after(date, now=NOW) == 20
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_retry_date_counts_from_the_services_own_clock() -> None:
    headers = CIMultiDict({"Retry-After": "Tue, 14 Nov 2023 22:13:40 GMT", "Date": "Tue, 14 Nov 2023 22:13:30 GMT"})
    assert parse_rate_limits(headers, now=0).retry_after == 10


def test_the_documented_headers_are_read_whatever_their_case() -> None:
    headers = CIMultiDict({"ratelimit-limit": "5000", "RateLimit-Remaining": "12", "rateLimit-reset": "1402425459"})
    info = parse_rate_limits(headers, now=NOW)
    assert (info.limit, info.remaining, info.reset, info.retry_after) == (5000, 12, 1402425459, None)


def test_the_headers_of_the_tiers_are_read() -> None:
    headers = CIMultiDict({"x-ratelimit-limit-tokens-per-minute": "500000", "x-ratelimit-remaining-requests": "3",
                           "x-ratelimit-reset-tokens-per-day": "0"})  # fmt: skip
    info = parse_rate_limits(headers, now=NOW)
    got = info.limit_tokens_per_minute, info.remaining_requests, info.reset_tokens_per_day, info.limit
    assert got == (500000, 3, 0, None)


@pytest.mark.parametrize("value", ["", "many", "nan", "inf"])
def test_a_header_that_is_no_number_says_nothing(value: str) -> None:
    info = parse_rate_limits(CIMultiDict({"ratelimit-remaining": value, "ratelimit-reset": value}), now=NOW)
    assert (info.remaining, info.reset) == (None, None)


def test_less_than_nothing_remaining_is_nothing():
    info = parse_rate_limits(
        CIMultiDict({"ratelimit-remaining": "-3", "x-ratelimit-remaining-requests": "-1"}), now=NOW
    )
    assert (info.remaining, info.remaining_requests) == (0, 0)


CLASSES = [
    (400, BadRequestError), (401, AuthenticationError), (402, PaymentRequiredError), (403, PermissionDeniedError),
    (404, NotFoundError), (409, ConflictError), (412, PreconditionFailedError), (422, UnprocessableEntityError),
    (429, RateLimitError), (500, InternalServerError), (502, InternalServerError), (529, InternalServerError),
    (418, APIStatusError),
]  # fmt: skip


@pytest.mark.parametrize(("status", "kind"), CLASSES)
def test_a_status_has_its_class(status: int, kind: type[APIStatusError]) -> None:
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
def test_every_error_body_is_understood(body: bytes, code: str | None, message: str) -> None:
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
def test_an_unreadable_body_leaves_a_short_excerpt(body: bytes, part: str) -> None:
    error = build_status_error(502, {"x-request-id": "r"}, body, now=NOW)
    assert part in error.message
    assert len(error.message) < 300
    assert error.request_id == "r"


def test_a_giant_message_is_shortened() -> None:
    body = b'{"id": "x", "message": "' + b"m" * 100_000 + b'"}'
    assert len(str(build_status_error(400, {}, body, now=NOW))) < 1100
