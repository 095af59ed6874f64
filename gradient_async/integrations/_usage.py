"""What a completion's usage tells of its tokens beside their number.

Contract: pure; a count that is not told is None. Some models tell it by the names of OpenAI, in objects of their own.
Source: the usage of chat completions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from gradient_async.models.chat import Usage


@attrs.frozen
class TokenDetails:
    """Of the tokens read, those that came from a cache and went into one; of the tokens written, the thoughts."""

    cache_read: int | None
    cache_created: int | None
    reasoning: int | None


def token_details(usage: Usage) -> TokenDetails:
    """Return the details of *usage*, whichever names they go by."""
    prompt, completion = (_details(usage, f"{side}_tokens_details") for side in ("prompt", "completion"))
    read = usage.cache_read_input_tokens
    return TokenDetails(
        cache_read=_count(prompt, "cached_tokens") if read is None else read,
        cache_created=usage.cache_created_input_tokens,
        reasoning=_count(completion, "reasoning_tokens"),
    )


def _details(usage: Usage, name: str) -> Mapping[str, Any]:
    details = usage.extra.get(name)
    return details if isinstance(details, Mapping) else {}


def _count(details: Mapping[str, Any], name: str) -> int | None:
    count = details.get(name)
    return count if isinstance(count, int) else None
