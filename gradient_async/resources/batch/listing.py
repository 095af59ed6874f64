"""The jobs of the account, as many pages as are wanted.

Contract: an async iterator that asks for a page when the one before is used up. Ends at an empty page, at the last
one, or when a cursor comes a second time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable
from typing import Protocol, Self

from gradient_async._protocol.batch.api import BatchPage
from gradient_async.models.batch import Batch


class PageFetcher(Protocol):
    """Fetches one page."""

    def __call__(self, *, after: str | None) -> Awaitable[BatchPage]:
        """Return the page that begins behind the cursor *after*."""
        ...


class BatchList:
    """Iterates over jobs, newest first.

    Raises:
        APIStatusError: The service refused; the class says how.
        APIConnectionError: No answer came; iterating on asks for the page again.
    """

    def __init__(self, fetch: PageFetcher, after: str | None, status: str | None) -> None:
        self._fetch, self._status = fetch, status
        self._after = after
        self._known: set[str | None] = {after}
        self._queue: deque[Batch] = deque()
        self._ended = False

    @property
    def after(self) -> str | None:
        """The cursor of the next page, to go on from in another iteration; None at the beginning and at the end."""
        return self._after

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Batch:
        while not self._queue:
            if self._ended:
                raise StopAsyncIteration
            self._take(await self._fetch(after=self._after))
        return self._queue.popleft()

    def _take(self, page: BatchPage) -> None:
        self._queue.extend(batch for batch in page.batches if self._status in (None, batch.status))
        self._after = page.after
        self._ended = page.after is None or page.after in self._known
        self._known.add(page.after)
