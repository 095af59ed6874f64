"""The state of a job: of one, of the jobs of a split input together, and the error for an end without results.

Contract: pure.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from gradient_async.errors import BatchFailedError, BatchNotReadyError
from gradient_async.models.batch import Batch, BatchFault, RequestCounts

_MAX_SHOWN_FAULTS = 3


def results_not_ready_error(batch_id: str) -> BatchNotReadyError:
    """Return the error for reading results before the job has ended."""
    return BatchNotReadyError(f"The results of batch {batch_id} are not available yet; call wait() first.")


def results_overdue_error(batch: Batch) -> BatchNotReadyError:
    """Return the error for an ended job with results that are expected and do not appear."""
    return BatchNotReadyError(f"{_describe_end(batch)} Its results are not available yet; ask for them again later.")


def batch_failed_error(batch: Batch) -> BatchFailedError:
    """Return the error for a job that ended without completing; the message quotes its first faults."""
    shown = [str(fault) for fault in batch.errors[:_MAX_SHOWN_FAULTS]]
    more = len(batch.errors) - len(shown)
    reasons = " ".join(shown) + (f" ... and {more} more in .batch.errors." if more else "")
    return BatchFailedError(f"{_describe_end(batch)} {reasons}".strip(), batch=batch)


def _describe_end(batch: Batch) -> str:
    counts = batch.request_counts
    return f"Batch {batch.batch_id} ended as {batch.status}, with {counts.completed} of {counts.total} completed."


_RUNNING_STATUSES = ("queued", "validating", "in_progress", "finalizing", "cancelling")
"""From the least to the most advanced; an unknown status ranks as the least advanced."""

_TERMINAL_STATUSES = ("completed", "cancelled", "expired", "failed")
"""From the best to the worst outcome."""


def merge_batches(batches: Sequence[Batch]) -> Batch:
    """Return the jobs of a split input as one job.

    Counts are summed and faults concatenated. While any job runs, the status is that of the least advanced running
    job; afterwards it is the worst outcome: completed + in_progress is in_progress, completed + failed is failed.
    """
    first = batches[0]
    if len(batches) == 1:
        return first
    running = [batch.status for batch in batches if not batch.is_terminal]
    if running:
        status = min(running, key=lambda status: _rank_status(_RUNNING_STATUSES, status))
    else:
        status = max((batch.status for batch in batches), key=lambda status: _rank_status(_TERMINAL_STATUSES, status))
    errors: list[BatchFault] = [fault for batch in batches for fault in batch.errors]
    batch_id = ",".join(batch.batch_id for batch in batches)
    counts = RequestCounts(
        total=sum(batch.request_counts.total for batch in batches),
        completed=sum(batch.request_counts.completed for batch in batches),
        failed=sum(batch.request_counts.failed for batch in batches),
    )
    return attrs.evolve(first, batch_id=batch_id, status=status, request_counts=counts, errors=errors, raw=None)


def _rank_status(order: tuple[str, ...], status: str) -> int:
    return order.index(status) if status in order else 0
