"""The model tokens that results state."""

from types import SimpleNamespace
from typing import Any

import pytest

from gradient_async._protocol.http.usage import find_used_tokens


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"total_tokens": 12}, 12),
        ({"prompt_tokens": 5, "total_tokens": 5}, 5),
        ({"input_tokens": 5, "output_tokens": 7}, 12),
        ({"total_tokens": 0, "input_tokens": 5}, 5),
        ({"total_tokens": 0}, None),
        ({"total_tokens": -3}, None),
        ({"total_tokens": 10**5000}, None),
        ({"total_tokens": "12"}, None),
        ({}, None),
        (None, None),
    ],
)
def test_the_used_tokens_are_read_in_every_form(usage: dict[str, Any] | None, tokens: int | None) -> None:
    assert find_used_tokens(SimpleNamespace(usage=None if usage is None else SimpleNamespace(**usage))) == tokens


def test_a_result_without_usage_states_nothing() -> None:
    assert find_used_tokens(object()) is None
