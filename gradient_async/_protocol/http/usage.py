"""The model tokens that a result states as used.

Contract: pure; a result without usage, or with a usage of another form, states nothing.
"""

from __future__ import annotations

_PARTS = ("input_tokens", "output_tokens")
_MOST_TOKENS = 1_000_000_000
"""More than any request uses: a larger number is a mistake, and must not block a budget."""


def find_used_tokens(result: object) -> int | None:
    """Return the tokens of prompt and output, None if *result* does not state them."""
    usage = getattr(result, "usage", None)
    total = getattr(usage, "total_tokens", None) or sum(_find_count(usage, part) for part in _PARTS)
    return total if isinstance(total, int) and 0 < total <= _MOST_TOKENS else None


def _find_count(usage: object, name: str) -> int:
    count = getattr(usage, name, None)
    return count if isinstance(count, int) else 0
