"""`ModelBudgets`: the quotas of the models in use with one key.

Contract: pure; times are in seconds on the limiter's clock. Memory is bounded: a model that was not used for an hour is
forgotten, and so are the longest unused of more than a thousand.
"""

from __future__ import annotations

from collections.abc import Iterator

from gradient_async._protocol.rate_limit.model_budget import ModelBudget

__all__ = ["ModelBudgets"]

_MAX_MODELS, _MIN_MODELS = 1000, 16


class ModelBudgets:
    """The budgets of the models of one key.

    Attributes:
        by_model: The budget of each model in use; None stands for calls without a model.
    """

    __slots__ = ("_forget_at", "_guard", "_share", "by_model")

    def __init__(self, *, guard: float, share: float) -> None:
        self._guard, self._share = guard, share
        self._forget_at = _MIN_MODELS
        self.by_model: dict[str | None, ModelBudget] = {}

    def find_or_add(self, model: str | None, now: float) -> ModelBudget | None:
        """Return the budget of *model*, new if it has none yet; None for calls without a model or quotas."""
        budget = self.by_model.get(model)
        return self.add_model(model, now) if budget is None and model is not None else budget

    def add_model(self, model: str | None, now: float) -> ModelBudget:
        """Return a new budget for *model*, and forget those that were not used for long."""
        if len(self.by_model) >= self._forget_at:
            self._forget_unused(now)
        budget = self.by_model[model] = ModelBudget(self._guard, self._share, now)
        return budget

    def any_counts(self) -> bool:
        """Whether a request to any model may have to wait for its quotas."""
        return any(budget.is_counted for budget in self.by_model.values())

    def sum_requests_per_minute(self) -> int:
        """Return the requests per minute that all known quotas admit together."""
        return sum(budget.requests_per_minute for budget in self.by_model.values())

    def shift_times(self, shift: float) -> None:
        """Move every time by *shift* seconds, for a new clock."""
        for budget in self.by_model.values():
            budget.shift_times(shift)

    def __iter__(self) -> Iterator[str | None]:
        return iter(self.by_model)

    def _forget_unused(self, now: float) -> None:
        kept = {model: budget for model, budget in self.by_model.items() if not budget.is_unused(now)}
        if len(kept) >= _MAX_MODELS:
            latest = sorted(kept, key=lambda model: kept[model].used_at)[-_MAX_MODELS // 2 :]
            kept = {model: kept[model] for model in latest}
        self.by_model = kept
        self._forget_at = max(_MIN_MODELS, 2 * len(kept))
