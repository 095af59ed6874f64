"""The state of the jobs of a split input, and the error of a job that failed."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from gradient_async import Batch, BatchFailedError, BatchFault, RequestCounts
from gradient_async._protocol.batch.job_state import batch_failed_error, merge_batches


def job(status: str, **fields: Any) -> Batch:
    return Batch(batch_id=status, status=status, **fields)


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (["completed", "in_progress"], "in_progress"),
        (["finalizing", "validating", "completed"], "validating"),
        (["completed", "completed"], "completed"),
        (["completed", "failed", "expired"], "failed"),
        (["cancelled", "completed"], "cancelled"),
        (["paused", "finalizing"], "paused"),
        (["cancelling", "cancelled"], "cancelling"),
    ],
)
def test_merged_jobs_have_the_status_of_the_least_advanced(statuses: list[str], expected: str) -> None:
    assert merge_batches([job(status) for status in statuses]).status == expected


def test_merged_jobs_have_the_sum_of_the_counts() -> None:
    counts = RequestCounts(total=10, completed=6, failed=1)
    whole = merge_batches([job("completed", request_counts=counts), job("failed", request_counts=counts)])
    assert (whole.batch_id, whole.request_counts) == (
        "completed,failed",
        RequestCounts(total=20, completed=12, failed=2),
    )


def test_a_failed_job_shows_its_first_faults_with_their_lines() -> None:
    faults = [BatchFault(message="no body", line=7), BatchFault(message="Line 9: no id.", line=9)] * 3
    error = batch_failed_error(job("failed", errors=faults))
    assert "Line 7: no body Line 9: no id." in str(error)
    assert "... and 3 more" in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert isinstance(again, BatchFailedError)
    assert again.batch == error.batch
