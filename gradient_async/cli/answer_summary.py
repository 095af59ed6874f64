"""What can be told of an answer besides its text.

Contract: pure; a fact that is not known is left out.
"""

from __future__ import annotations

from collections.abc import Iterator

from gradient_async.models import ChatCompletion, RateLimitInfo, Timings, Usage


def facts(completion: ChatCompletion) -> Iterator[tuple[str, str]]:
    """Yield name and value of everything that is known of *completion* and its call."""
    meta = completion.meta
    known = {
        "model": completion.model,
        "finish": completion.finish_reason,
        "tokens": completion.usage and tokens(completion.usage),
        "time": times(meta.timings),
        "rate limit": quota(meta.rate_limit),
        "attempts": str(meta.attempts) if meta.attempts > 1 else None,
        "request": meta.request_id,
    }
    return ((name, value) for name, value in known.items() if value)


def tokens(usage: Usage) -> str:
    """Return the tokens that were counted."""
    return f"{usage.prompt_tokens} prompt + {usage.completion_tokens} completion = {usage.total_tokens}"


def times(timings: Timings) -> str:
    """Return where the time went, in seconds."""
    known = (
        ("{:.3f} s in all", timings.total),
        ("{:.3f} s to the first token", timings.first_token),
        ("{:.3f} s to connect", timings.connect),
        ("{:.3f} s waiting for the limiter", timings.limiter_wait if timings.limiter_wait >= 0.001 else None),
        ("{:.1f} tokens/s", timings.tokens_per_second),
    )
    return ", ".join(text.format(value) for text, value in known if value is not None)


def quota(limits: RateLimitInfo) -> str | None:
    """Return what the service said is left, None if it said nothing."""
    if limits.remaining is not None and limits.limit is not None:
        return f"{limits.remaining} of {limits.limit} requests left"
    if limits.remaining_requests is not None and limits.limit_requests is not None:
        return f"{limits.remaining_requests} of {limits.limit_requests} requests left for this model"
    return None
