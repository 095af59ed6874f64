"""The life of a batch job: which status it has at which moment.

Contract: pure. Moments are seconds of the job's own time, which starts at its creation. Nothing is stored but
what happened (validated, worked through, cancelled); the status follows from that and from the moment:
validating, in_progress, finalizing, completed; failed if the file is invalid, expired if the window ends
first, cancelling and cancelled on request.
Source: the status, the timestamps and the cancel section of the Batch Inference reference; ``queued`` from
captured answers.
"""

from __future__ import annotations

import math

import attrs

TERMINAL = frozenset({"completed", "failed", "expired", "cancelled"})


@attrs.frozen(kw_only=True)
class Pace:
    """How many seconds each status lasts, if the work is done by then."""

    queued: float
    validating: float
    working: float
    finalizing: float

    @classmethod
    def of(cls, seconds: float, *, queued: bool) -> Pace:
        """Divide *seconds* among the statuses."""
        waiting = 0.1 if queued else 0.0
        return cls(
            queued=seconds * waiting,
            validating=seconds * 0.1,
            working=seconds * (0.8 - waiting),
            finalizing=seconds * 0.1,
        )

    @property
    def start(self) -> float:
        """When work starts."""
        return self.queued + self.validating


@attrs.define(kw_only=True)
class Life:
    """What happened to a job, and what follows from it.

    Attributes:
        pace: How fast it goes.
        share: The share of the work after which the window ends; 1.0 if it does not.
        validated: When the input file was found to be valid or not; infinite until then.
        invalid: Whether it was not.
        worked: When every line had its result; infinite until then.
        cancelled: When that was asked for.
        instant: Whether a cancelled job has nothing to drain.
    """

    pace: Pace
    share: float = 1.0
    validated: float = math.inf
    invalid: bool = False
    worked: float = math.inf
    cancelled: float | None = None
    instant: bool = False

    @property
    def in_progress(self) -> float:
        """When it goes, or went, to ``in_progress`` (or to ``failed``)."""
        return max(self.pace.start, self.validated)

    @property
    def finalizing(self) -> float:
        """When the work ends: all of it, or the share that the window has room for."""
        return max(self.in_progress + self.share * self.pace.working, self.worked)

    @property
    def end(self) -> float:
        """When it gets its last status."""
        if self.cancelled is not None:
            return self.cancelled + (0 if self.instant else self.pace.finalizing)
        if self.invalid:
            return self.in_progress
        return self.finalizing + (self.pace.finalizing if self.share == 1 else 0)

    def progress(self, moment: float) -> float:
        """Return the share of the lines that have their result at *moment*."""
        stop = moment if self.cancelled is None else min(moment, self.cancelled)
        if stop < self.in_progress:
            return 0.0
        if self.cancelled is None and stop >= self.finalizing:
            return self.share
        done = (stop - self.in_progress) / self.pace.working if self.pace.working else 1.0
        return min(done, self.share)

    def status(self, moment: float) -> str:
        """Return the status at *moment*."""
        if self.cancelled is not None:
            return "cancelled" if moment >= self.end else "cancelling"
        if moment < self.pace.queued:
            return "queued"
        if moment < self.in_progress:
            return "validating"
        return "failed" if self.invalid else self._working(moment)

    def next(self, moment: float) -> float:
        """Return a moment in the middle of the status after the one at *moment*; *moment* if that is the last."""
        marks = [self.pace.queued, self.in_progress, self.finalizing, self.end]
        ahead = sorted(mark for mark in marks if moment < mark < math.inf and mark <= self.end)
        if not ahead:
            return moment
        return (ahead[0] + ahead[1]) / 2 if len(ahead) > 1 else ahead[0]

    def _working(self, moment: float) -> str:
        if moment < self.finalizing:
            return "in_progress"
        if self.share < 1:
            return "expired"
        return "completed" if moment >= self.end else "finalizing"
