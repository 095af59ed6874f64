"""The results of a map while it runs: iteration, progress, checkpoint, early end.

Contract: each item has one result in the end, unless the map ends early; then each result that was received is still
handed out before the reason is raised. A result is in the checkpoint before it is handed out.

How the parts work together: `ConcurrentMap` pulls requests and runs calls. A call asks `CheckpointFile` for an earlier
result, else sends its request through `LimiterGate` and appends the result. `ProgressMeter` counts and `StopRule`
decides whether a failure ends the map.
"""

from __future__ import annotations

import asyncio
import warnings
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

import attrs

from gradient_async._io.async_only import AsyncOnly
from gradient_async._io.deadline_timer import get_loop
from gradient_async._io.http.hooks import call_hook
from gradient_async._io.map.checkpoint_file import CheckpointFile
from gradient_async._io.map.concurrent_map import ConcurrentMap
from gradient_async._io.map.limiter_gate import LimiterGate, MapStoppedError, NoTargetError
from gradient_async._io.sources.row_source import RowSource
from gradient_async._io.sources.threaded_iterator import ThreadedIterator, iterate_without_blocking
from gradient_async._protocol.map.progress_meter import ProgressMeter
from gradient_async._protocol.map.stop_rule import StopRule
from gradient_async.errors import CheckpointError, ConfigurationError, GradientError, is_count, quote_argument
from gradient_async.models._base import Displayed
from gradient_async.models.map_progress import MapProgress

T = TypeVar("T")

_REPORT_EVERY = 0.1
_REPORT_AT_LEAST_EVERY = 1.0
_ESTIMATE_EVERY = 1.0


class MapDisplay(Protocol):
    """Displays the progress of a map, from the beginning of the map to its end."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show_progress(self, progress: MapProgress, /) -> None:
        """Display *progress*."""


@attrs.frozen(kw_only=True)
class MapOptions:
    """How a map runs.

    Attributes:
        concurrency: Maximum number of concurrent calls.
        ordered: Whether results keep the order of the items.
        checkpoint: The file of results, None to keep none.
        on_progress: Receives the progress at most ten times a second; None to report none.
        display: Receives it as well, between its ``__enter__`` and ``__exit__``; None to display none.
        stop_after: Number of failures in a row that ends the map, None for any number.
    """

    concurrency: int
    ordered: bool = False
    checkpoint: CheckpointFile | None = None
    on_progress: Callable[[MapProgress], object] | None = None
    display: MapDisplay | None = None
    stop_after: int | None = attrs.field(default=None)

    def __attrs_post_init__(self) -> None:
        optional = {} if self.stop_after is None else {"stop_after": self.stop_after}
        for name, value in {"concurrency": self.concurrency, **optional}.items():
            if not is_count(value):
                raise ConfigurationError(f"{name}={quote_argument(value)}: give a whole number of at least 1.")


class MapResults(AsyncOnly, Displayed, Generic[T]):
    """Results of a ``map``: enter it, then iterate over one result for each item.

    Example:
        ``async with ....map(requests) as results: async for result in results: ...``

    ``len(results)`` is the number of items, if the source knows it; otherwise a TypeError.

    Args:
        source: The items, pulled one by one.
        fetch: Makes the results of one item of *requests*.
        options: How the map runs.
        group: Makes groups of items, each with a length, of which *fetch* receives one; None for single items.
        items_per_call: Number of items that one call usually has.
    """

    def __init__(
        self,
        source: RowSource,
        fetch: Callable[[MapResults[T], int, Any], Awaitable[Sequence[T]]],
        options: MapOptions,
        *,
        group: Callable[[AsyncIterator[Any]], AsyncIterator[Any]] | None = None,
        items_per_call: int = 1,
    ) -> None:
        self._fetch, self._options = fetch, options
        self._rows, self._total = source, source.total
        self._source = iterate_without_blocking(source.rows)
        self._calls: ConcurrentMap[Any, Sequence[T]] = ConcurrentMap(
            self._source if group is None else group(self._source),
            self._run_call,
            concurrency=options.concurrency,
            ordered=options.ordered,
        )
        self._count_items: Callable[[Any], int] = len if group is not None else (lambda _: 1)
        self._items_per_call, self._in_flight = items_per_call, 0
        self._ready: deque[T] = deque()
        self._rule = StopRule(options.stop_after)
        self._meter = ProgressMeter(0.0, self._total)
        self._estimate = (0.0, 0.0)
        self._displays = ExitStack()
        self._observers = [] if options.on_progress is None else [options.on_progress]
        self.gate = LimiterGate()
        self.checkpoint = options.checkpoint

    _usage = "write 'async with ....map(requests) as results: async for result in results: ...'"
    _was_entered = False

    async def __aenter__(self) -> Self:
        self._was_entered = True
        self._meter.start(get_loop().time())
        self._total = self._meter.total = await self._rows.count_rows()
        if self.checkpoint is not None:
            await self.checkpoint.open_file()
        if self._options.display is not None:
            self._observers.append(self._displays.enter_context(self._options.display).show_progress)
        await self._calls.__aenter__()
        if self._observers:
            self._calls.start_task(self._report_progress)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._displays:
            try:
                await self._calls.__aexit__(kind, error, trace)
            finally:
                if isinstance(self._source, ThreadedIterator):
                    self._source.close()
                await self._close_checkpoint(error)
            self._call_observers()

    def __del__(self) -> None:
        if not self._was_entered:
            warnings.warn(
                f"The results of a map were never entered, so nothing was sent; {self._usage}.",
                RuntimeWarning,
                stacklevel=2,
            )

    def __repr__(self) -> str:
        if not self._was_entered:
            return f"<{type(self).__name__}, not entered; {self._usage}>"
        total = "" if self._total is None else f" of {self._total}"
        return f"<{type(self).__name__} {self._meter.done}{total} done, {self._meter.failed} failed>"

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        while not self._ready:
            self._ready.extend(await anext(self._calls))
        return self._ready.popleft()

    def __len__(self) -> int:
        if self._total is None:
            raise TypeError("the source of this map does not say how many items it has")
        return self._total

    @property
    def progress(self) -> MapProgress:
        """The progress at this moment."""
        now = asyncio.get_running_loop().time()
        limiter = self.gate.limiter
        return self._meter.describe(
            now,
            in_flight=self._in_flight,
            waiting=self.gate.waiting,
            status=None if limiter is None else limiter.status(self.gate.model),
            by_limiter=self._estimate_limiter(now),
        )

    def stop(self) -> None:
        """Send no further request. Results of requests under way still come; then the iteration ends.

        Requests that wait for the limiter are given up. With a checkpoint, the same ``map`` sends the rest later.
        """
        self._stop(None)

    # For the calls.

    def count_restored(self, items: int = 1) -> None:
        """Count items with a result from the checkpoint."""
        self._meter.count_restored(items)

    def count_answered(self, *, items: int = 1, attempts: int = 1, tokens: int = 0) -> None:
        """Count items that one call answered."""
        self._rule.ends_map(None)
        self._meter.count_answered(asyncio.get_running_loop().time(), items=items, attempts=attempts, tokens=tokens)

    def count_failed(self, error: GradientError, items: int = 1) -> None:
        """Count the items of a failed call, and end the map if *error* concerns all items."""
        self._meter.count_failed(asyncio.get_running_loop().time(), items=items, attempts=error.attempts)
        if self._rule.ends_map(error):
            self._stop(error)

    async def store_results(self, records: Iterable[tuple[str, bytes]]) -> None:
        """Write results to the checkpoint; if that fails, they are handed out all the same, and the map ends."""
        if self.checkpoint is None:
            return
        try:
            await self.checkpoint.append_results(records)
        except CheckpointError as error:
            self._stop(error)

    async def _run_call(self, index: int, request: Any) -> Sequence[T]:
        items = self._count_items(request)
        self._in_flight += items
        try:
            return await self._fetch(self, index, request)
        except MapStoppedError:
            return ()
        except NoTargetError as failure:
            self._stop(failure.error)
            return ()
        finally:
            self._in_flight -= items

    def _stop(self, failure: GradientError | None) -> None:
        self._calls.stop_pulling(failure)
        self.gate.close()

    async def _close_checkpoint(self, error: BaseException | None) -> None:
        if self.checkpoint is None:
            return
        try:
            await self.checkpoint.aclose()
        except CheckpointError:
            if error is None:
                raise

    # Progress.

    async def _report_progress(self) -> None:
        loop = asyncio.get_running_loop()
        reported_at, reported = loop.time(), 0
        while True:
            await asyncio.sleep(_REPORT_EVERY)
            if self._meter.done != reported or loop.time() - reported_at >= _REPORT_AT_LEAST_EVERY:
                self._call_observers()
                reported_at, reported = loop.time(), self._meter.done

    def _call_observers(self) -> None:
        if self._observers:
            progress = self.progress
            for observe in self._observers:
                call_hook(observe, progress)

    def _estimate_limiter(self, now: float) -> float:
        """Return the seconds until the limiter has admitted all remaining requests, computed at most once a second."""
        limiter, remaining = self.gate.limiter, self._meter.remaining
        if limiter is None or not remaining:
            return 0.0
        computed_at, end = self._estimate
        if now - computed_at >= _ESTIMATE_EVERY or not end:
            end = now + limiter.estimate(-(-remaining // self._items_per_call), self.gate.model)
            self._estimate = (now, end)
        return max(0.0, end - now)
