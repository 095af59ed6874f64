"""The messages of the script: `Exchange` goes to Redis, `Reply` comes back.

Contract: pure. Times are in seconds; ages are seconds before now. `lua_script` explains the fields.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

__all__ = ["BudgetReply", "BudgetTerms", "Exchange", "MalformedReplyError", "Reply", "parse_reply"]

_MICROSECONDS = 1_000_000

Span = tuple[int, float]
"""Capacity of a window in requests, and its length in seconds with the guard."""


class MalformedReplyError(Exception):
    """The reply is not the script's."""


def _to_microseconds(seconds: float) -> int:
    return max(0, int(seconds * _MICROSECONDS))


@attrs.frozen(kw_only=True)
class BudgetTerms:
    """The part of an exchange that concerns one budget.

    Attributes:
        key: The key of the budget in Redis.
        windows: Capacity and span of each window, the shortest first.
        answered: Number of the last exchange about this budget that Redis answered, 0 for none.
        demand: Requests that wait for this budget.
        sent: Ages of permits whose requests were sent.
        held: Ages of permits whose requests are not sent yet, since they were granted.
        refunded: Names of permits to give back.
        floors: Per window the usage that this process saw last, and its age; empty unless the data may be lost.
        pause: Length of a pause, and the number of the window that is full until its end, 0 for none.
        counted: The service's count of the longest window, the age of the request it answered, the time until the
            oldest request that it counts expires, and the length of that window without the guard; None for no count.
    """

    key: str
    windows: Sequence[Span]
    answered: int = 0
    demand: int = 0
    sent: Mapping[str, float] = attrs.field(factory=dict)
    held: Mapping[str, float] = attrs.field(factory=dict)
    refunded: Sequence[str] = ()
    floors: Sequence[tuple[int, float]] = ()
    pause: tuple[float, int] = (0.0, 0)
    counted: tuple[int, float, float, float] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the fields as the script reads them."""
        length, window = self.pause
        counted = self.counted
        return {
            "windows": [(capacity, _to_microseconds(span)) for capacity, span in self.windows],
            "answered": self.answered,
            "demand": self.demand,
            "sent": [(name, _to_microseconds(age)) for name, age in self.sent.items()],
            "held": [(name, _to_microseconds(age)) for name, age in self.held.items()],
            "refunded": list(self.refunded),
            "floors": [(count, _to_microseconds(age)) for count, age in self.floors],
            "pause": (_to_microseconds(length), window),
            "counted": [] if counted is None else [counted[0], *map(_to_microseconds, counted[1:])],
        }


@attrs.frozen(kw_only=True)
class Exchange:
    """One call of the script.

    Attributes:
        process: Name of this limiter, unique among all processes.
        seq: Number of this exchange.
        wanted: Permits to grant, if as many tokens are free.
        hold: Whether the permits count without end until they are settled.
        expected: The time that the server should show, in epoch seconds; 0.0 if unknown.
        budgets: The budgets that each permit takes a token of; the first one names the permits.
    """

    process: str
    seq: int
    wanted: int
    hold: bool
    expected: float
    budgets: Sequence[BudgetTerms]

    @property
    def keys(self) -> list[str]:
        """The keys of the budgets."""
        return [budget.key for budget in self.budgets]

    def to_json(self) -> str:
        """Return the argument of the script."""
        fields = {
            "id": self.process,
            "seq": self.seq,
            "wanted": self.wanted,
            "hold": self.hold,
            "expected": _to_microseconds(self.expected),
            "budgets": [budget.to_json() for budget in self.budgets],
        }
        return json.dumps(fields, separators=(",", ":"))

    def name_permits(self, count: int) -> list[str]:
        """Return the names of the first *count* permits that this exchange may add."""
        return [f"{self.process}:{self.seq}:{number}" for number in range(1, count + 1)]


@attrs.frozen(kw_only=True)
class BudgetReply:
    """The state of one budget.

    Attributes:
        is_lost: Whether data of this process is missing in Redis.
        pause: Seconds until the current pause ends.
        earliest: Seconds until any process may be granted a permit, 0.0 if it may be now.
        turn: Seconds until it is the turn of this process.
        usage: Per window: tokens used, and the part of them used by others than the processes that share the budget.
    """

    is_lost: bool
    pause: float
    earliest: float
    turn: float
    usage: list[tuple[int, int]]


@attrs.frozen(kw_only=True)
class Reply:
    """The script's reply to an exchange.

    Attributes:
        names: The granted permits.
        server_time: The time of the server in epoch seconds.
        is_clock_off: Whether the server's time differs from the expected one.
        budgets: The state of each budget.
    """

    names: list[str]
    server_time: float
    is_clock_off: bool
    budgets: list[BudgetReply]


def parse_reply(reply: object, exchange: Exchange) -> Reply:
    """Parse the *reply* to *exchange*.

    Raises:
        MalformedReplyError: It is not the script's.
    """
    expected = 3 + sum(4 + 2 * len(budget.windows) for budget in exchange.budgets)
    if not isinstance(reply, list) or len(reply) != expected or any(type(value) is not int for value in reply):
        raise MalformedReplyError
    granted, server_time, is_clock_off, *rest = reply
    if not 0 <= granted <= exchange.wanted:
        raise MalformedReplyError
    budgets = []
    for budget in exchange.budgets:
        is_lost, pause, earliest, turn = rest[:4]
        numbers = rest[4 : 4 + 2 * len(budget.windows)]
        rest = rest[4 + len(numbers) :]
        budgets.append(
            BudgetReply(
                is_lost=bool(is_lost),
                pause=pause / _MICROSECONDS,
                earliest=earliest / _MICROSECONDS,
                turn=turn / _MICROSECONDS,
                usage=list(zip(numbers[::2], numbers[1::2], strict=True)),
            )
        )
    return Reply(
        names=exchange.name_permits(granted),
        server_time=server_time / _MICROSECONDS,
        is_clock_off=bool(is_clock_off),
        budgets=budgets,
    )
