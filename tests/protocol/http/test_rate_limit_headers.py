"""Rate-limit headers, ``Retry-After`` and dates in every form."""

import time

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from gradient_async._protocol.http.rate_limit_headers import parse_rate_limits, parse_retry_after

NOW = 1_700_000_000.0
"""2023-11-14 22:13:20 GMT."""


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("20", 20),
        ("1.5", 1.5),
        ("0", 0),
        ("1e3", 1000),
        ("99999999999999999999999999999999999", 365 * 86_400),
        ("1e308", 365 * 86_400),
        ("9" * 5_000, None),
        ("Tue, 14 Nov 9999 22:13:40 GMT", 365 * 86_400),
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
def test_retry_after_is_parsed_in_every_form(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, now=NOW) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize("date", ["Tue Nov 14 22:13:40 2023", "Tue, 14 Nov 2023 22:13:40 -0000"])
def test_a_date_without_a_zone_is_in_gmt_in_any_local_time_zone(monkeypatch: pytest.MonkeyPatch, date: str) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert parse_retry_after(date, now=NOW) == 20
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_retry_date_is_relative_to_the_date_header() -> None:
    headers = CIMultiDict({"Retry-After": "Tue, 14 Nov 2023 22:13:40 GMT", "Date": "Tue, 14 Nov 2023 22:13:30 GMT"})
    assert parse_rate_limits(headers, now=0).retry_after == 10


def test_the_documented_headers_are_case_insensitive() -> None:
    headers = CIMultiDict({"ratelimit-limit": "5000", "RateLimit-Remaining": "12", "rateLimit-reset": "1402425459"})
    info = parse_rate_limits(headers, now=NOW)
    assert (info.limit, info.remaining, info.reset, info.retry_after) == (5000, 12, 1402425459, None)


def test_the_quota_headers_of_a_tier_are_parsed() -> None:
    headers = CIMultiDict({"x-ratelimit-limit-tokens-per-minute": "500000", "x-ratelimit-remaining-requests": "3",
                           "x-ratelimit-reset-tokens-per-day": "0"})  # fmt: skip
    info = parse_rate_limits(headers, now=NOW)
    got = info.limit_tokens_per_minute, info.remaining_requests, info.reset_tokens_per_day, info.limit
    assert got == (500000, 3, 0, None)


@pytest.mark.parametrize("value", ["", "many", "nan", "inf"])
def test_a_rate_limit_header_that_is_not_a_number_is_ignored(value: str) -> None:
    info = parse_rate_limits(CIMultiDict({"ratelimit-remaining": value, "ratelimit-reset": value}), now=NOW)
    assert (info.remaining, info.reset) == (None, None)


def test_a_negative_remaining_count_is_zero() -> None:
    info = parse_rate_limits(
        CIMultiDict({"ratelimit-remaining": "-3", "x-ratelimit-remaining-requests": "-1"}), now=NOW
    )
    assert (info.remaining, info.remaining_requests) == (0, 0)


ABSURD = ["1e308", "1e400", "inf", "nan", "9" * 5_000, "1" + "0" * 13, "-1e308", "0x10", "\u0663", "1_000", "many", ""]


@pytest.mark.parametrize("value", ABSURD)
def test_no_number_of_a_header_is_absurd(value: str) -> None:
    names = ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "Retry-After"]
    for quota in ("requests", "tokens-per-minute", "tokens-per-day"):
        names += [f"x-ratelimit-{kind}-{quota}" for kind in ("limit", "remaining", "reset")]
    info = parse_rate_limits(CIMultiDict(dict.fromkeys(names, value)), now=NOW)
    for name, number in attrs.asdict(info).items():
        assert number is None or abs(number) <= (1e13 if "reset" in name else 10**12)


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"llm_provider-retry-after": "3"}, 3),
        ({"LLM_Provider-Retry-After": "Tue, 14 Nov 2023 22:13:40 GMT"}, 20),
        ({"llm_provider-retry-after": "9", "Retry-After": "2"}, 2),
        ({"llm_provider-retry-after": "soon"}, None),
        ({"llm_provider-retry-after": "9" * 5_000}, None),
    ],
)
def test_a_renamed_retry_after_of_an_error_is_read(headers: dict[str, str], seconds: float | None, status: int) -> None:
    assert parse_rate_limits(CIMultiDict(headers), now=NOW, status=status).retry_after == seconds


@given(st.text(), st.sampled_from([200, 429, 503]))
def test_any_text_in_a_header_yields_bounded_numbers_or_none(text: str, status: int) -> None:
    names = ["Date", "Retry-After", "llm_provider-retry-after", "ratelimit-limit", "ratelimit-remaining"]
    names += ["ratelimit-reset", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"]
    info = parse_rate_limits(CIMultiDict(dict.fromkeys(names, text)), now=NOW, status=status)
    assert all(number is None or abs(number) <= 1e13 for number in attrs.asdict(info).values())
