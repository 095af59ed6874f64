"""Summary of a completion besides its text: tokens, timings, rate limit, request id.

Contract: pure; unknown values are left out.
"""

from __future__ import annotations

from collections.abc import Iterator

from gradient_async.models import ChatCompletion, RateLimitInfo, Timings, Usage


def summarize_completion(completion: ChatCompletion) -> Iterator[tuple[str, str]]:
    """Yield name and value of each known fact about *completion* and its request."""
    meta = completion.meta
    facts = {
        "model": completion.model,
        "finish": completion.finish_reason,
        "tokens": completion.usage and format_tokens(completion.usage),
        "time": format_timings(meta.timings),
        "rate limit": format_quota(meta.rate_limit),
        "attempts": str(meta.attempts) if meta.attempts > 1 else None,
        "request": meta.request_id,
    }
    return ((name, value) for name, value in facts.items() if value)


def format_tokens(usage: Usage) -> str:
    """Return the token counts: ``12 prompt + 5 completion = 17``."""
    return f"{usage.prompt_tokens} prompt + {usage.completion_tokens} completion = {usage.total_tokens}"


def format_timings(timings: Timings) -> str:
    """Return the known durations in seconds: ``0.412 s in total, 0.187 s to the first token``."""
    durations = (
        ("{:.3f} s in total", timings.total),
        ("{:.3f} s to the first token", timings.first_token),
        ("{:.3f} s to connect", timings.connect),
        ("{:.3f} s waiting for the limiter", timings.limiter_wait if timings.limiter_wait >= 0.001 else None),
        ("{:.1f} tokens/s", timings.tokens_per_second),
    )
    return ", ".join(text.format(value) for text, value in durations if value is not None)


def format_quota(limits: RateLimitInfo) -> str | None:
    """Return the remaining requests of the key, else of the model; None if the headers name neither."""
    if limits.remaining is not None and limits.limit is not None:
        return f"{limits.remaining} of {limits.limit} requests left"
    if limits.remaining_requests is not None and limits.limit_requests is not None:
        return f"{limits.remaining_requests} of {limits.limit_requests} requests left for this model"
    return None
