"""`Exchange`: the message to the script, the only argument of its calls.

Contract: pure. Times are in seconds; ages are seconds before now. `lua_script` explains the fields.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import msgspec

__all__ = ["BudgetTerms", "Exchange", "ModelTerms", "QuotaTerms"]

_MICROSECONDS = 1_000_000

Span = tuple[int, float]
"""Capacity of a window in requests, and its length in seconds with the guard."""


def _to_microseconds(seconds: float) -> int:
    return max(0, int(seconds * _MICROSECONDS))


@attrs.define(kw_only=True)
class BudgetTerms:
    """The part of an exchange that concerns one budget.

    Attributes:
        key: The key of the budget in Redis.
        windows: Capacity and span of each window, the shortest first.
        answered: Number of the last exchange about this budget that Redis answered, 0 for none.
        demand: Requests that wait for this budget.
        tokens: Model tokens of all processes, and for how long they count; None for no limit.
        spent: Model tokens of the permits in *sent* and *held*.
        sent: Ages of permits whose requests were sent.
        held: Ages of permits whose requests are not sent yet, since they were granted.
        refunded: Names of permits to give back.
        floors: Per window the usage that this process saw last, and its age; empty unless the data may be lost. The
            model tokens are first, if they are limited.
        pause: Length of a pause, and the number of the window that is full until its end, 0 for none.
        released: Assumed usage to drop, by the number of the window.
        counted: The service's count of the longest window, the age of the request it answered, the time until the
            oldest request that it counts expires, and the length of that window without the guard; None for no count.
    """

    key: str
    windows: Sequence[Span]
    answered: int = 0
    demand: int = 0
    tokens: Span | None = None
    spent: Mapping[str, int] = attrs.field(factory=dict)
    sent: Mapping[str, float] = attrs.field(factory=dict)
    held: Mapping[str, float] = attrs.field(factory=dict)
    refunded: Sequence[str] = ()
    floors: Sequence[tuple[int, float]] = ()
    pause: tuple[float, int] = (0.0, 0)
    released: Mapping[int, int] = attrs.field(factory=dict)
    counted: tuple[int, float, float, float] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the fields as the script reads them, without empty ones."""
        fields: dict[str, Any] = {
            "windows": [(capacity, _to_microseconds(span)) for capacity, span in self.windows],
            "answered": self.answered,
            "demand": self.demand,
        }
        if self.tokens is not None:
            fields["tokens"] = (self.tokens[0], _to_microseconds(self.tokens[1]))
        if self.spent:
            fields["spent"] = list(self.spent.items())
        if self.sent:
            fields["sent"] = [(name, _to_microseconds(age)) for name, age in self.sent.items()]
        if self.held:
            fields["held"] = [(name, _to_microseconds(age)) for name, age in self.held.items()]
        if self.refunded:
            fields["refunded"] = list(self.refunded)
        if self.floors:
            fields["floors"] = [(count, _to_microseconds(age)) for count, age in self.floors]
        if self.pause[0] > 0:
            fields["pause"] = (_to_microseconds(self.pause[0]), self.pause[1])
        if self.released:
            fields["released"] = list(self.released.items())
        if self.counted is not None:
            fields["counted"] = [self.counted[0], *map(_to_microseconds, self.counted[1:])]
        return fields


@attrs.define(kw_only=True)
class QuotaTerms:
    """One quota of a model, as a bucket that is refilled evenly.

    Attributes:
        number: Which quota it is, 0 for the requests to a model whose quotas are unknown.
        rate: Tokens that are refilled per second.
        burst: Tokens of the full bucket.
        level: Free tokens by the record of this process; negative if it took too many.
        cost: Tokens that one request takes.
    """

    number: int
    rate: float
    burst: float
    level: float
    cost: float


@attrs.define(kw_only=True)
class ModelTerms:
    """The part of an exchange that concerns one model.

    Attributes:
        name: The model, marked so that no name is empty.
        quotas: Its quotas.
        limits: Announced limits that are new, by the number of the quota.
        returned: Tokens to give back, by the number of the quota; negative ones are taken.
        pause: Seconds for which nothing is sent to the model.
        flown: Requests that this process sent to the model before its first response.
    """

    name: str
    quotas: Sequence[QuotaTerms]
    limits: Mapping[int, int]
    returned: Mapping[int, int]
    pause: float = 0.0
    flown: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the fields as the script reads them: a quota with the microseconds in which one token is refilled."""
        return {
            "name": self.name,
            "pause": _to_microseconds(self.pause),
            "flown": self.flown,
            "limits": list(self.limits.items()),
            "quotas": [
                (
                    quota.number,
                    _MICROSECONDS / quota.rate,
                    quota.burst,
                    quota.level,
                    quota.cost,
                    self.returned.get(quota.number, 0),
                )
                for quota in self.quotas
            ],
        }


@attrs.define(kw_only=True)
class Exchange:
    """One call of the script.

    Attributes:
        process: Name of this limiter, unique among all processes.
        seq: Number of this exchange.
        wanted: Permits to grant, if as many tokens are free.
        costs: Model tokens that the next requests take, *wanted* or more; empty if they are not limited.
        hold: Whether the permits count without end until they are settled.
        expected: The time that the server should show, in epoch seconds; 0.0 if unknown.
        budgets: The budgets that each permit takes a token of; the first one names the permits.
        models: The models to write about.
        asks_model: Whether the permits are for the first of these models, and take tokens of its quotas.
    """

    process: str
    seq: int
    wanted: int
    hold: bool
    expected: float
    budgets: Sequence[BudgetTerms]
    models: Sequence[ModelTerms] = ()
    asks_model: bool = False
    costs: Sequence[int] = ()

    @property
    def keys(self) -> list[str]:
        """The keys of the budgets."""
        return [budget.key for budget in self.budgets]

    def to_json(self) -> str:
        """Return the argument of the script."""
        fields: dict[str, Any] = {
            "id": self.process,
            "seq": self.seq,
            "wanted": self.wanted,
            "hold": self.hold,
            "expected": _to_microseconds(self.expected),
            "budgets": [budget.to_json() for budget in self.budgets],
        }
        if self.costs:
            fields["costs"] = self.costs
        if self.models:
            fields |= {"models": [model.to_json() for model in self.models], "asks_model": self.asks_model}
        return msgspec.json.encode(fields).decode()

    def name_permits(self, count: int) -> list[str]:
        """Return the names of the first *count* permits that this exchange may add."""
        return [f"{self.process}:{self.seq}:{number}" for number in range(1, count + 1)]
