"""The timings of a stream: its first token, its duration and its tokens per second.

Contract: all times are seconds on the loop's clock, counted from the start of the call.
"""

from __future__ import annotations

from gradient_async._io.http.reply import Reply


def record_first_token(reply: Reply) -> None:
    """Set the time to the first token to now."""
    reply.meta.timings.first_token = reply.exchange.time() - reply.started_at


def record_total(reply: Reply, output_tokens: int | None) -> None:
    """Set the duration of the call, and the tokens per second after the first token if *output_tokens* is known."""
    timings = reply.meta.timings
    timings.total = reply.exchange.time() - reply.started_at
    if output_tokens is not None and timings.first_token is not None and timings.total > timings.first_token:
        timings.tokens_per_second = output_tokens / (timings.total - timings.first_token)
