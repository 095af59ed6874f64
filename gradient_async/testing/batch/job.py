"""A batch job: what was asked for, its life and its work.

Contract: nothing here waits. `sync` notes what the work has come to; everything else follows from that and
from the clock.
Source: the batch object of the Batch Inference reference.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from gradient_async.testing.batch.executor import Run
from gradient_async.testing.batch.lifecycle import TERMINAL, Life
from gradient_async.testing.batch.wire_shapes import View

_NOTHING = {"total": 0, "completed": 0, "failed": 0}


@attrs.define(kw_only=True, eq=False)
class Job:
    """One job, for assertions.

    Attributes:
        id: Its ``batch_id``.
        request: The body of the call that created it.
        created: When that was, in epoch seconds.
        stepped: Whether its time passes only when it is told to.
        asks: How often its results were asked for after its end.
    """

    id: str
    request: Mapping[str, Any]
    created: float
    clock: Callable[[], float] = attrs.field(repr=False)
    stepped: bool = False
    asks: int = attrs.field(default=0, init=False)
    life: Life = attrs.field(repr=False)
    run: Run = attrs.field(repr=False)
    _skipped: float = attrs.field(default=0.0, init=False)

    @property
    def request_id(self) -> str:
        """The idempotency key it was created with."""
        return str(self.request["request_id"])

    @property
    def status(self) -> str:
        """Its status now."""
        return self.life.status(self.moment)

    @property
    def finished(self) -> bool:
        """Whether its status is final."""
        return self.status in TERMINAL

    @property
    def available(self) -> bool:
        """Whether there are results and their files are complete."""
        return self.finished and self.status != "failed" and self.run.done

    @property
    def moment(self) -> float:
        """Its own time, in seconds."""
        return self._skipped + (0.0 if self.stepped else self.clock() - self.created)

    def sync(self) -> None:
        """Note what the work has come to."""
        moment = 0.0 if self.stepped else self.moment
        if self.run.validated:
            self.life.validated = min(self.life.validated, moment)
            self.life.invalid = bool(self.run.errors)
        if self.run.done:
            self.life.worked = min(self.life.worked, moment)

    def advance(self) -> None:
        """Do all its work and go on to the middle of the next status."""
        self.run.finish()
        self.sync()
        self._skipped += self.life.next(self.moment) - self.moment

    def cancel(self) -> None:
        """Stop where the work is now."""
        moment = self.moment
        self.run.halt(self.life.progress(moment))
        self.life.cancelled = moment

    def view(self, status: str | None = None) -> View:
        """Return what is said about it now; with *status* instead of its own."""
        moment, run = self.moment, self.run
        final = self.status in TERMINAL
        return View(
            batch_id=self.id,
            status=status or self.status,
            provider=self.request["provider"],
            endpoint=self.request.get("endpoint"),
            file_id=self.request["file_id"],
            request_id=self.request_id,
            metadata=self.request.get("metadata"),
            counts=run.counts(self.life.progress(moment), final=final) if moment >= self.life.in_progress else _NOTHING,
            errors=run.errors if self.status == "failed" else None,
            output_file_id=self.file_id("output") if self.has_output else None,
            error_file_id=self.file_id("errors") if self.has_errors else None,
            available=self.available,
            **self._times(moment),
        )

    @property
    def has_output(self) -> bool:
        """Whether there is an output file with at least one line."""
        return self.available and self.run.output.size > 0

    @property
    def has_errors(self) -> bool:
        """Whether there is a sidecar of its own with at least one line."""
        return self.available and self.run.sidecar is not self.run.output and self.run.sidecar.size > 0

    def file_id(self, name: str) -> str:
        """Return the id of one of its files."""
        return str(uuid.uuid5(uuid.UUID(self.id), name))

    def _times(self, moment: float) -> dict[str, Any]:
        life, status = self.life, self.status
        worked = not life.invalid and (life.cancelled is None or life.in_progress <= life.cancelled)
        whole = worked and life.share == 1 and life.cancelled is None
        marks = {
            "in_progress_at": life.in_progress if worked else None,
            "finalizing_at": life.finalizing if whole else None,
            "completed_at": life.end if status == "completed" else None,
            "failed_at": life.end if status == "failed" else None,
            "cancelled_at": life.end if status == "cancelled" else None,
            "cancel_requested_at": life.cancelled,
        }
        passed = {name: mark for name, mark in marks.items() if mark is not None and mark <= moment}
        times = {name: self.created + mark for name, mark in passed.items()}
        return {"created_at": self.created, "updated_at": max(times.values(), default=self.created), **times}
