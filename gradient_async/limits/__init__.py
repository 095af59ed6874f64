"""Limiters that share one budget between processes and machines.

Contract: importing this imports no client of any database; making a limiter does.
"""

from __future__ import annotations

from gradient_async.limits.redis.limiter import RedisLimiter

__all__ = ["RedisLimiter"]
