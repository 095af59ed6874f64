"""The log: a line for each attempt, retries and waits, and nothing that is secret."""

import logging
import re
from typing import Any

import pytest

from gradient_async import AsyncSession, AttemptDetails, GradientError, RateLimitError, RetryPolicy
from gradient_async._io.http.hooks import format_attempt
from gradient_async.testing import Emulator

PROMPT = "the prompt that nobody else may read"
HI: Any = {"model": "m", "messages": [{"role": "user", "content": PROMPT}]}
DETAILS: dict[str, Any] = {
    "method": "POST",
    "url": "https://h/v1/x",
    "attempt": 1,
    "limiter_wait": 0.0,
    "status": 200,
    "request_id": "r-1",
    "error": None,
    "elapsed": 0.4124,
}


def lines_of(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    found = [each for each in caplog.records if each.name == "gradient_async" and each.levelno == level]
    return [re.sub(r"\d+ ms", "MS", record.getMessage()) for record in found]


async def test_each_attempt_is_a_line_and_each_retry_one_more(
    gradient_emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "gradient_async")
    gradient_emulator.fail(503, message=PROMPT)
    url = gradient_emulator.url
    async with AsyncSession("sk-secret", base_url=url, retry=RetryPolicy(first=0)) as session:
        await session.chat.completions.create(**HI)
        await session.request("GET", "/v1/models", params={"signature": "secret"})
    first, second, third = (request.request_id for request in gradient_emulator.requests)
    assert lines_of(caplog, logging.DEBUG) == [
        f"POST {url}/v1/chat/completions: 503 in MS, request {first}",
        f"POST {url}/v1/chat/completions: 200 in MS, request {second}, attempt 2",
        f"GET {url}/v1/models: 200 in MS, request {third}",
    ]
    assert lines_of(caplog, logging.INFO) == [
        f"POST {url}/v1/chat/completions: attempt 1 failed (InternalServerError 503, request {first}), next in 0.00 s"
    ]
    assert "secret" not in caplog.text
    assert PROMPT not in caplog.text


async def test_attempts_are_not_formatted_unless_the_log_wants_them(
    gradient_emulator: Emulator, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, "gradient_async")
    monkeypatch.delattr("gradient_async._io.http.hooks.format_attempt")
    async with AsyncSession("test", base_url=gradient_emulator.url) as session:
        await session.chat.completions.create(**HI)
    assert not caplog.records


async def test_uploads_are_logged_without_their_signature(
    gradient_emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "gradient_async")
    async with AsyncSession("test", base_url=gradient_emulator.url) as session:
        await session.batches.submit([{"custom_id": "1", "body": HI}])
    uploads = [line for line in lines_of(caplog, logging.DEBUG) if line.startswith("PUT ")]
    assert len(uploads) == 1
    assert "200 in MS" in uploads[0]
    assert "Signature" not in caplog.text
    assert PROMPT not in caplog.text


async def test_a_stream_is_one_line(gradient_emulator: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "gradient_async")
    async with AsyncSession("test", base_url=gradient_emulator.url) as session:
        await session.chat.completions.stream(**HI).completion()
    assert len(lines_of(caplog, logging.DEBUG)) == 1


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "POST https://h/v1/x: 200 in 412 ms, request r-1"),
        ({"attempt": 3, "request_id": None}, "POST https://h/v1/x: 200 in 412 ms, attempt 3"),
        (
            {"status": None, "error": GradientError("It broke."), "request_id": None},
            "POST https://h/v1/x: GradientError: It broke. in 412 ms",
        ),
        ({"status": None, "request_id": None}, "POST https://h/v1/x: no response in 412 ms"),
        ({"status": None, "cancelled": True, "request_id": None}, "POST https://h/v1/x: cancelled in 412 ms"),
        ({"request_id": "forged\nline"}, r"POST https://h/v1/x: 200 in 412 ms, request forged\nline"),
        ({"status": 429, "error": RateLimitError(PROMPT)}, "POST https://h/v1/x: 429 in 412 ms, request r-1"),
    ],
)
def test_the_line_of_an_attempt(changes: dict[str, Any], line: str) -> None:
    assert format_attempt(AttemptDetails(**{**DETAILS, **changes})) == line
