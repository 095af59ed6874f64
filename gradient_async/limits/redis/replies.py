"""`Reply`: the script's reply to an exchange.

Contract: pure. Times are in seconds. The reply is one string of numbers: clients parse a list of them one by one, which
takes longer than the rest of the exchange.
"""

from __future__ import annotations

import attrs

from gradient_async.limits.redis.messages import Exchange

__all__ = ["BudgetReply", "MalformedReplyError", "ModelReply", "Reply", "TokenReply", "parse_reply"]

_MICROSECONDS = 1_000_000
_TOKEN_NUMBERS = 3
_MODEL_NUMBERS = 5
"""Numbers about the model that was asked for: delay, pause and three limits."""


class MalformedReplyError(Exception):
    """The reply is not the script's."""


@attrs.define
class TokenReply:
    """The model tokens of one budget.

    Attributes:
        delay: Seconds until the next request of this process finds the tokens it needs, 0.0 if it does now.
        used: Tokens used.
        missing: The part of them that was lost with the data of other processes.
    """

    delay: float
    used: int
    missing: int


@attrs.define
class BudgetReply:
    """The state of one budget.

    Attributes:
        is_lost: Whether data of this process is missing in Redis.
        pause: Seconds until the current pause ends.
        earliest: Seconds until any process may be granted a permit, 0.0 if it may be now.
        turn: Seconds until it is the turn of this process.
        usage: Per window: tokens used, and the part of them used by others than the processes that share the budget.
        tokens: The model tokens, None if they are not limited.
    """

    is_lost: bool
    pause: float
    earliest: float
    turn: float
    usage: list[tuple[int, int]]
    tokens: TokenReply | None = None


@attrs.define
class ModelReply:
    """The state of the model that an exchange asked for.

    Attributes:
        delay: Seconds until its quotas admit the next request, 0.0 if they do now.
        pause: Seconds until its current pause ends.
        limits: The announced limits that any process knows, by the number of the quota.
    """

    delay: float
    pause: float
    limits: dict[int, int]


@attrs.define
class Reply:
    """The script's reply to an exchange.

    Attributes:
        names: The granted permits.
        server_time: The time of the server in epoch seconds.
        is_clock_off: Whether the server's time differs from the expected one.
        budgets: The state of each budget.
        model: The state of the model that was asked for, if any.
    """

    names: list[str]
    server_time: float
    is_clock_off: bool
    budgets: list[BudgetReply]
    model: ModelReply | None


def parse_reply(reply: object, exchange: Exchange) -> Reply:
    """Parse the *reply* to *exchange*, a string or bytes, as the client decodes it.

    Raises:
        MalformedReplyError: It is not the script's.
    """
    if not isinstance(reply, bytes | str):
        raise MalformedReplyError
    try:
        return _read_numbers(list(map(int, reply.split())), exchange)
    except ValueError:  # a word that is no number, or too many numbers, or too few
        raise MalformedReplyError from None


def _read_numbers(numbers: list[int], exchange: Exchange) -> Reply:
    seq, granted, seconds, microseconds, is_clock_off = numbers[:5]
    if seq != exchange.seq or not 0 <= granted <= exchange.wanted:
        raise MalformedReplyError
    budgets, at = [], 5
    for budget in exchange.budgets:
        is_lost, pause, earliest, turn = numbers[at : at + 4]
        at, tokens = at + 4, None
        if budget.tokens is not None:
            delay, used, missing = numbers[at : at + _TOKEN_NUMBERS]
            at, tokens = at + _TOKEN_NUMBERS, TokenReply(delay / _MICROSECONDS, used, missing)
        end = at + 2 * len(budget.windows)
        usage = list(zip(numbers[at:end:2], numbers[at + 1 : end : 2], strict=True))
        delays = (pause / _MICROSECONDS, earliest / _MICROSECONDS, turn / _MICROSECONDS)
        budgets.append(BudgetReply(bool(is_lost), *delays, usage, tokens))
        at = end
    if len(numbers) != at + (_MODEL_NUMBERS if exchange.asks_model else 0):
        raise MalformedReplyError
    server_time = seconds + microseconds / _MICROSECONDS
    model = _read_model(numbers[at:]) if exchange.asks_model else None
    return Reply(exchange.name_permits(granted), server_time, bool(is_clock_off), budgets, model)


def _read_model(numbers: list[int]) -> ModelReply:
    delay, pause, *limits = numbers
    known = {number: limit for number, limit in enumerate(limits, 1) if limit}
    return ModelReply(delay / _MICROSECONDS, pause / _MICROSECONDS, known)
