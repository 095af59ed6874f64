"""A batch job: its request, its lifecycle and its execution.

Contract: nothing here waits. `update_lifecycle` copies the progress of the execution to the lifecycle; the rest follows
from the lifecycle and the clock.
Source: the batch object of the Batch Inference reference.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from gradient_async.testing.batch.executor import BatchExecution
from gradient_async.testing.batch.lifecycle import TERMINAL, JobLifecycle
from gradient_async.testing.batch.wire_shapes import JobSnapshot

_NO_COUNTS = {"total": 0, "completed": 0, "failed": 0}


@attrs.define(kw_only=True, eq=False)
class BatchJob:
    """One job, for assertions.

    Attributes:
        id: The ``batch_id``.
        key: The key of the call that created the job, to which alone it exists.
        request: The body of the call that created the job.
        created: The creation time in epoch seconds.
        stepped: Whether time passes only with `advance`.
        asks: The number of calls for the results since the end of the job.
    """

    id: str
    key: str = attrs.field(repr=False)
    request: Mapping[str, Any]
    created: float
    clock: Callable[[], float] = attrs.field(repr=False)
    stepped: bool = False
    asks: int = attrs.field(default=0, init=False)
    lifecycle: JobLifecycle = attrs.field(repr=False)
    execution: BatchExecution = attrs.field(repr=False)
    _skipped: float = attrs.field(default=0.0, init=False)

    @property
    def request_id(self) -> str:
        """The idempotency key of the call that created the job."""
        return str(self.request["request_id"])

    @property
    def status(self) -> str:
        """The current status."""
        return self.lifecycle.status_at(self.moment)

    @property
    def finished(self) -> bool:
        """Whether the status is terminal."""
        return self.status in TERMINAL

    @property
    def available(self) -> bool:
        """Whether the job has results and their files are complete."""
        return self.finished and self.status != "failed" and self.execution.done

    @property
    def moment(self) -> float:
        """The seconds that have passed for the job since its creation."""
        return self._skipped + (0.0 if self.stepped else self.clock() - self.created)

    def update_lifecycle(self) -> None:
        """Copy the progress of the execution to the lifecycle."""
        moment = 0.0 if self.stepped else self.moment
        if self.execution.validated:
            self.lifecycle.validated_at = min(self.lifecycle.validated_at, moment)
            self.lifecycle.invalid = bool(self.execution.errors)
        if self.execution.done:
            self.lifecycle.executed_at = min(self.lifecycle.executed_at, moment)

    def advance(self) -> None:
        """Execute all requests and skip to the middle of the next status."""
        self.execution.run_to_end()
        self.update_lifecycle()
        self._skipped += self.lifecycle.next_moment(self.moment) - self.moment

    def cancel(self) -> None:
        """Cancel the job; requests without a result so far are not executed."""
        moment = self.moment
        self.execution.stop_at(self.lifecycle.progress_at(moment))
        self.lifecycle.cancelled_at = moment

    def take_snapshot(self, status: str | None = None) -> JobSnapshot:
        """Return the current state of the job, with *status* in place of its own if given."""
        moment, counts = self.moment, _NO_COUNTS
        if moment >= self.lifecycle.in_progress_at:
            counts = self.execution.count_requests(self.lifecycle.progress_at(moment), final=self.finished)
        return JobSnapshot(
            batch_id=self.id,
            status=status or self.status,
            provider=self.request["provider"],
            endpoint=self.request.get("endpoint"),
            file_id=self.request["file_id"],
            request_id=self.request_id,
            metadata=self.request.get("metadata"),
            counts=counts,
            errors=self.execution.errors if self.status == "failed" else None,
            output_file_id=self.file_id("output") if self.has_output else None,
            error_file_id=self.file_id("errors") if self.has_errors else None,
            available=self.available,
            **self._transition_times(moment),
        )

    @property
    def has_output(self) -> bool:
        """Whether there is an output file with at least one line."""
        return self.available and self.execution.output.size > 0

    @property
    def has_errors(self) -> bool:
        """Whether there is a separate error sidecar with at least one line."""
        execution = self.execution
        return self.available and execution.sidecar is not execution.output and execution.sidecar.size > 0

    def file_id(self, name: str) -> str:
        """Return the id of the file *name*, ``"output"`` or ``"errors"``."""
        return str(uuid.uuid5(uuid.UUID(self.id), name))

    def _transition_times(self, moment: float) -> dict[str, Any]:
        """Return the times of the transitions up to *moment* in epoch seconds."""
        lifecycle, status = self.lifecycle, self.status
        cancelled_at = lifecycle.cancelled_at
        started = not lifecycle.invalid and (cancelled_at is None or lifecycle.in_progress_at <= cancelled_at)
        finalized = started and lifecycle.work_share == 1 and cancelled_at is None
        moments = {
            "in_progress_at": lifecycle.in_progress_at if started else None,
            "finalizing_at": lifecycle.finalizing_at if finalized else None,
            "completed_at": lifecycle.ended_at if status == "completed" else None,
            "failed_at": lifecycle.ended_at if status == "failed" else None,
            "cancelled_at": lifecycle.ended_at if status == "cancelled" else None,
            "cancel_requested_at": cancelled_at,
        }
        passed = {name: time for name, time in moments.items() if time is not None and time <= moment}
        times = {name: self.created + time for name, time in passed.items()}
        return {"created_at": self.created, "updated_at": max(times.values(), default=self.created), **times}
