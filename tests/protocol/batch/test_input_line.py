"""Requests as input lines."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gradient_async import BatchRequest, ConfigurationError
from gradient_async._protocol.batch.input_line import LineSchema
from tests.support.batches import CHAT, body, line

BODY = body()
OPENAI = LineSchema("openai", CHAT)
ANTHROPIC = LineSchema("anthropic", "/v1/messages")


@pytest.mark.parametrize(
    ("schema", "request_", "expected"),
    [
        (OPENAI, BatchRequest("a", BODY), line()),
        (OPENAI, {"custom_id": "a", "body": BODY}, line()),
        (OPENAI, line(url="/other"), line(url="/other")),
        (ANTHROPIC, BatchRequest("a", BODY), {"custom_id": "a", "params": BODY}),
        (ANTHROPIC, {"custom_id": "a", "params": BODY}, {"custom_id": "a", "params": BODY}),
    ],
)
def test_requests_are_encoded_as_lines(schema: LineSchema, request_: Any, expected: Any) -> None:
    written = schema.encode_line(request_)
    assert written.endswith(b"\n")
    assert json.loads(written) == expected


@pytest.mark.parametrize("wrong", ["text", 5, None, ["a"]])
def test_a_value_that_is_not_a_request_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="BatchRequest"):
        OPENAI.encode_line(wrong)


def test_an_unknown_provider_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'openai' or 'anthropic'"):
        LineSchema("cohere", None)  # type: ignore[arg-type]
