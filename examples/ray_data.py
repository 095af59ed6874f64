"""Ask a model about every row of a data set with Ray Data: several workers, one budget.

Run it with ``python examples/ray_data.py questions.jsonl answers``; the key comes from MODEL_ACCESS_KEY, the address of
Redis from REDIS_URL. Each row of ``questions.jsonl`` has an ``id`` and a ``question``; the folder ``answers`` gets JSON
Lines with an ``answer`` or an ``error`` beside them. Install ``gradient-async[ray,redis]``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from typing import Any

import ray.data

from gradient_async import AsyncSession, RateLimits
from gradient_async.limits import RedisLimiter

MODEL = "llama3.3-70b-instruct"


class Asker:
    """One worker: its own session, whose limiter shares the budget of the key with every other worker."""

    def __init__(self, redis_url: str, limits: RateLimits) -> None:
        self._session = AsyncSession(limits=RedisLimiter(redis_url, limits=limits))

    async def __call__(self, batch: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """Yield the rows of *batch* with their answers."""
        questions = [str(question) for question in batch["question"]]
        async with self._session.chat.completions.map(questions, model=MODEL, ordered=True) as results:
            found = [result async for result in results]
        answers = [result.text for result in found]
        errors = ["" if result.error is None else str(result.error) for result in found]
        yield {**batch, "answer": answers, "error": errors}


def ask_rows(
    rows: ray.data.Dataset,
    redis_url: str,
    *,
    workers: int = 2,
    limits: RateLimits = RateLimits(),  # noqa: B008
) -> ray.data.Dataset:
    """Return *rows* with an answer or an error each."""
    return rows.map_batches(
        Asker, fn_constructor_args=(redis_url, limits), batch_size=64, concurrency=workers, max_concurrency=4
    )


if __name__ == "__main__":
    answered = ask_rows(ray.data.read_json(sys.argv[1], lines=True), os.environ["REDIS_URL"])
    answered.write_json(sys.argv[2])
