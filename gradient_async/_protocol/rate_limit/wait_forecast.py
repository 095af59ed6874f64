"""How long a request has to wait at the limiter, and for which limit.

Contract: pure; times are in seconds on the limiter's clock.
"""

from __future__ import annotations

import attrs

from gradient_async._protocol.rate_limit.bucket import RollingTokenBucket
from gradient_async._protocol.rate_limit.model_budget import ModelBudget
from gradient_async._protocol.rate_limit.rate_limits import format_limit
from gradient_async._protocol.rate_limit.token_budget import TokenBudget
from gradient_async.errors import escape_text

__all__ = ["WaitForecast"]

_MAX_NAME_CHARS = 100


@attrs.define(eq=False, repr=False, kw_only=True)
class WaitForecast:
    """The limits of one request.

    Attributes:
        bucket: The windows of the key.
        token_budget: Its model tokens, None without a limit.
        model_budget: The quotas of the model, None if they are unknown.
        now: The time.
    """

    bucket: RollingTokenBucket
    token_budget: TokenBudget | None
    model_budget: ModelBudget | None
    now: float

    def describe_wait(self, *, tokens: int, model: str | None, ahead: int, model_ahead: int) -> tuple[float, str]:
        """Return the expected seconds until the request may be sent, and the limit that it waits for, as text."""
        at, limit = self.bucket.describe_wait(self.now, ahead + 1)
        if self.model_budget is not None and self.model_budget.is_counted:
            model_at, model_limit = self.model_budget.describe_wait(self.now, tokens, model_ahead)
            if model_at > at:
                at, limit = model_at, f"{model_limit} for {escape_text(model or 'any model', _MAX_NAME_CHARS)}"
        if self.token_budget is not None:
            tokens_at = self.now + self.token_budget.compute_delay(self.now, tokens)
            if tokens_at > at:
                at, limit = tokens_at, format_limit(self.token_budget.capacity, self.token_budget.period, "tokens")
        return at - self.now, limit
