"""Headers of requests, and what the limiter needs to know of them."""

from typing import Any

import pytest

from gradient_async import Timeouts
from gradient_async._protocol.requests.json_post import build_post
from gradient_async._protocol.requests.request import Request, build_headers


def test_headers_that_differ_in_case_are_sent_once() -> None:
    own = {"user-agent": "mine", "x-own": "1", "X-Own": "2", "content-type": "text/plain", "ACCEPT": "image/png"}
    stream = build_post("/v1/chat/completions", {"extra_headers": own}, stream=True, timeouts=Timeouts())
    assert build_headers(stream, "k") == {
        "Authorization": "Bearer k",
        "user-agent": "mine",
        "X-Own": "2",
        "Content-Type": "application/json",
        "Accept": "text/event-stream",
        "Accept-Encoding": "identity",
    }


def test_a_get_sends_authorization_and_user_agent_only() -> None:
    request = Request(method="GET", path="/v1/models")
    assert build_headers(request, "k") == {"Authorization": "Bearer k", "User-Agent": "gradient-async"}


@pytest.mark.parametrize(
    ("body", "model"),
    [
        ({"model": "m"}, "m"),
        ({"model_id": "fal-ai/flux"}, "fal-ai/flux"),
        ({"model": "m", "extra_body": {"model": "other"}}, "other"),
        ({"model": 3}, None),
        ({}, None),
    ],
)
def test_a_request_names_the_model_of_its_body(body: dict[str, Any], model: str | None) -> None:
    assert build_post("/v1/x", body, timeouts=Timeouts()).model == model


PROMPT: dict[str, Any] = {"messages": [{"role": "user", "content": "x" * 4000}]}
IMAGE: dict[str, Any] = {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {
    "url": "data:image/png;base64," + "A" * 1_000_000}}]}]}  # fmt: skip


@pytest.mark.parametrize(
    ("body", "low", "high"),
    [
        ({**PROMPT, "max_tokens": 100}, 1100, 1120),
        ({**PROMPT, "max_completion_tokens": 100}, 1100, 1120),
        ({**PROMPT}, 1500, 1520),
        ({**PROMPT, "max_tokens": -1}, 1500, 1520),
        ({**PROMPT, "max_tokens": 10**400}, 1500, 1700),
        ({"input": "x" * 4000, "max_output_tokens": 100}, 1100, 1120),
        ({"input": ["x" * 4000]}, 1000, 1020),
        ({**IMAGE, "max_tokens": 1}, 1000, 1100),
        ({"input": [{"data": "A" * 1_000_000}, {"data": "A" * 999}] * 2, "max_tokens": 1}, 2490, 2600),
        ({"messages": [{"role": "user", "content": "x" * 40_000}], "max_tokens": 1}, 10_000, 10_100),
    ],
)
def test_the_model_tokens_of_a_request_are_estimated_from_its_prompt_and_its_limit(
    body: dict[str, Any], low: int, high: int
) -> None:
    assert low <= build_post("/v1/x", dict(body), timeouts=Timeouts()).tokens <= high
