"""The jobs of an account, over all pages.

Contract: an async iterator that requests a page when the previous one is used up. It ends after the last page, at an
empty page, and when a cursor repeats.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable
from typing import Protocol, Self

from gradient_async._protocol.batch.api_responses import BatchPage
from gradient_async.models.batch import Batch


class PageFetcher(Protocol):
    """Fetches one page of jobs."""

    def __call__(self, *, after: str | None) -> Awaitable[BatchPage]:
        """Return the page that follows the cursor *after*."""
        ...


class BatchList:
    """An async iterator over jobs, newest first.

    Raises:
        APIStatusError: The service refused; the class says why.
        APIConnectionError: No response arrived; continuing the iteration requests the same page again.
    """

    def __init__(self, fetch: PageFetcher, after: str | None, status: str | None) -> None:
        self._fetch, self._status = fetch, status
        self._after = after
        self._seen_cursors: set[str | None] = {after}
        self._queue: deque[Batch] = deque()
        self._ended = False

    @property
    def after(self) -> str | None:
        """The cursor of the next page, to resume from in another iteration; None at the beginning and at the end."""
        return self._after

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Batch:
        while not self._queue:
            if self._ended:
                raise StopAsyncIteration
            page = await self._fetch(after=self._after)
            self._queue.extend(batch for batch in page.batches if self._status in (None, batch.status))
            self._after = page.after
            self._ended = page.after is None or page.after in self._seen_cursors
            self._seen_cursors.add(page.after)
        return self._queue.popleft()
