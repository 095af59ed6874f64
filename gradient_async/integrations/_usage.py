"""Token details of a completion's usage: cached and reasoning tokens.

Contract: pure; a missing count is None. Some models report the details under OpenAI's names, in nested objects.
Source: the usage of chat completions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from gradient_async.models.chat import Usage


@attrs.frozen
class TokenDetails:
    """Parts of the token counts.

    Attributes:
        cache_read: Prompt tokens read from a cache.
        cache_created: Prompt tokens written to a cache.
        reasoning: Completion tokens of the reasoning.
    """

    cache_read: int | None
    cache_created: int | None
    reasoning: int | None


def token_details(usage: Usage) -> TokenDetails:
    """Return the details of *usage*, under the service's names or OpenAI's."""
    cache_read = usage.cache_read_input_tokens
    return TokenDetails(
        cache_read=_nested_count(usage, "prompt_tokens_details", "cached_tokens") if cache_read is None else cache_read,
        cache_created=usage.cache_created_input_tokens,
        reasoning=_nested_count(usage, "completion_tokens_details", "reasoning_tokens"),
    )


def _nested_count(usage: Usage, group: str, name: str) -> int | None:
    details: Any = usage.extra.get(group)
    count = details.get(name) if isinstance(details, Mapping) else None
    return count if isinstance(count, int) else None
