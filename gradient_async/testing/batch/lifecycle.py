"""The lifecycle of a batch job: its status as a function of time.

Contract: pure. Moments are seconds since the creation of the job. Only the events are stored (validated, executed,
cancelled); the status follows from them and the moment::

    queued --> validating --> in_progress --> finalizing --> completed
                   |              |
                   v              v
                failed         expired

    queued, validating, in_progress, finalizing --> cancelling --> cancelled

- ``queued`` is optional.
- ``failed``: the input file is invalid.
- ``expired``: the completion window ends after `work_share` of the requests.
- ``cancelling``: a cancel request; skipped with `cancels_instantly`.

A transition happens when its time has passed **and** its work is done: `JobTiming` gives the time, `validated_at` and
`executed_at` the work.

Example: ``JobTiming.from_total(100, queued=False)`` lets ``validating`` last 10 s, ``in_progress`` 80 s, ``finalizing``
10 s. If the input is validated at 2 s and executed at 50 s, the job is in progress from 10 s, finalizing from 90 s and
completed from 100 s. If the execution takes until 95 s, it is finalizing from 95 s and completed from 105 s.
Source: the status, the timestamps and the cancel section of the Batch Inference reference; ``queued`` from captured
responses.
"""

from __future__ import annotations

import math

import attrs

TERMINAL = frozenset({"completed", "failed", "expired", "cancelled"})


@attrs.frozen(kw_only=True)
class JobTiming:
    """The minimum duration of each status in seconds.

    Attributes:
        queued: The duration of ``queued``; 0 skips it.
        validating: The duration of ``validating``.
        working: The duration of ``in_progress``.
        finalizing: The duration of ``finalizing``, and of ``cancelling``.
    """

    queued: float
    validating: float
    working: float
    finalizing: float

    @classmethod
    def from_total(cls, seconds: float, *, queued: bool) -> JobTiming:
        """Divide *seconds* among the statuses; *queued* tells whether the job starts in ``queued``."""
        queued_share = 0.1 if queued else 0.0
        return cls(
            queued=seconds * queued_share,
            validating=seconds * 0.1,
            working=seconds * (0.8 - queued_share),
            finalizing=seconds * 0.1,
        )

    @property
    def work_start(self) -> float:
        """The earliest moment of ``in_progress``."""
        return self.queued + self.validating


@attrs.define(kw_only=True)
class JobLifecycle:
    """The events of a job, and the status that follows from them.

    Attributes:
        timing: The duration of each status.
        work_share: The share of the requests that the window has room for, from 0 to 1; below 1 the job expires.
        validated_at: The moment when the input file was validated; infinite until then.
        invalid: Whether the input file is invalid.
        executed_at: The moment when every request was executed; infinite until then.
        cancelled_at: The moment of the cancel request; None without one.
        cancels_instantly: Whether a cancelled job skips ``cancelling``.
    """

    timing: JobTiming
    work_share: float = 1.0
    validated_at: float = math.inf
    invalid: bool = False
    executed_at: float = math.inf
    cancelled_at: float | None = None
    cancels_instantly: bool = False

    @property
    def in_progress_at(self) -> float:
        """The moment of the transition to ``in_progress``, or to ``failed``."""
        return max(self.timing.work_start, self.validated_at)

    @property
    def finalizing_at(self) -> float:
        """The moment when all work that the window has room for is done."""
        return max(self.in_progress_at + self.work_share * self.timing.working, self.executed_at)

    @property
    def ended_at(self) -> float:
        """The moment of the transition to the terminal status."""
        if self.cancelled_at is not None:
            return self.cancelled_at + (0 if self.cancels_instantly else self.timing.finalizing)
        if self.invalid:
            return self.in_progress_at
        return self.finalizing_at + (self.timing.finalizing if self.work_share == 1 else 0)

    def progress_at(self, moment: float) -> float:
        """Return the share of the requests that have a result at *moment*, from 0 to 1."""
        stop = moment if self.cancelled_at is None else min(moment, self.cancelled_at)
        if stop < self.in_progress_at:
            return 0.0
        if self.cancelled_at is None and stop >= self.finalizing_at:
            return self.work_share
        done = (stop - self.in_progress_at) / self.timing.working if self.timing.working else 1.0
        return min(done, self.work_share)

    def status_at(self, moment: float) -> str:
        """Return the status at *moment*."""
        if self.cancelled_at is not None:
            return "cancelled" if moment >= self.ended_at else "cancelling"
        if moment < self.timing.queued:
            return "queued"
        if moment < self.in_progress_at:
            return "validating"
        if self.invalid:
            return "failed"
        if moment < self.finalizing_at:
            return "in_progress"
        if self.work_share < 1:
            return "expired"
        return "completed" if moment >= self.ended_at else "finalizing"

    def next_moment(self, moment: float) -> float:
        """Return the middle of the status that follows the one at *moment*; *moment* in a terminal status."""
        transitions = [self.timing.queued, self.in_progress_at, self.finalizing_at, self.ended_at]
        ahead = sorted(time for time in transitions if moment < time < math.inf and time <= self.ended_at)
        if not ahead:
            return moment
        return (ahead[0] + ahead[1]) / 2 if len(ahead) > 1 else ahead[0]
