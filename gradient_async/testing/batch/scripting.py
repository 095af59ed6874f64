"""What a test says to the batch service.

Contract: verbs only fill queues. Faults of calls are scripted as everywhere, with a path: for example
``gradient.fail(429, path="/v1/batches/*")``.
Source: none, this is the emulator's own surface.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Literal

import attrs

from gradient_async.testing.batch.lines import Outcome
from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.scripting.faults import BEFORE, Sever
from gradient_async.testing.storage.host import Storage


@attrs.define(kw_only=True, eq=False)
class BatchVerbs:
    """Everything that can be scripted about batches.

    Attributes:
        storage: The host of the files; its script is that of the service.
        seconds: How long a job takes; None to let it wait for `advance`.
        shape: How answers look: as in the reference, or as captured from the service.
        anthropic_endpoint: Whether ``endpoint`` has to be there for that provider, or must not be.
        queued: Whether a job is ``queued`` at first; None for what *shape* suggests.
        not_ready: How the service says that there are no results yet.
        late: How many times it says so after a job has ended.
        replay_status: The status of the answer to a ``request_id`` that is known.
        max_requests: The most requests that a file may have.
    """

    storage: Storage = attrs.field(repr=False)
    seconds: float | None = 0.3
    shape: Literal["reference", "captured"] = "reference"
    anthropic_endpoint: Literal["required", "forbidden"] = "required"
    queued: bool | None = None
    not_ready: Literal["412", "flag"] = "412"
    late: int = 0
    replay_status: int = 201
    max_requests: int = 50_000
    _outcomes: dict[str, Outcome | None] = attrs.field(factory=dict, init=False, repr=False)
    _left: dict[str, float] = attrs.field(factory=dict, init=False, repr=False)
    _statuses: deque[str] = attrs.field(factory=deque, init=False, repr=False)
    _shares: deque[float] = attrs.field(factory=deque, init=False, repr=False)

    def fail_line(
        self,
        custom_id: str,
        *,
        status: int | None = 500,
        code: str = "",
        message: str = "Scripted failure.",
        times: int | None = 1,
    ) -> None:
        """Let a request fail; to be said before its job is created.

        Args:
            custom_id: Whose request.
            status: The HTTP status; None if it never gets an answer.
            code: The code of the error.
            message: Its message.
            times: In how many jobs; None for all.
        """
        outcome = Outcome(status=status, code=code or ("server_error" if status is None else ""), message=message)
        self._script_line(custom_id, outcome, times)

    def drop_line(self, custom_id: str, *, times: int | None = 1) -> None:
        """Lose a request: it is in neither of the two files."""
        self._script_line(custom_id, None, times)

    def expire(self, *, after: float = 0.5, times: int = 1) -> None:
        """Let the window of the next job end when it is done with a share of its requests."""
        self._shares.extend([after] * times)

    def show_status(self, status: str, *, times: int = 1) -> None:
        """Show another status, perhaps an unknown one, to those who ask next for a job that is not finished."""
        self._statuses.extend([status] * times)

    def lose_answer(self, *, times: int | None = 1, path: str = "/v1/batches") -> None:
        """Do what the next POST or PUT to *path* (a pattern) asks for, but reset the connection before the answer."""

        def when(request: RecordedRequest) -> bool:
            return request.method in ("POST", "PUT") and fnmatchcase(request.path, path)

        self.storage.script.add("lost", Sever(after=BEFORE), times=times, when=when)

    def _script_line(self, custom_id: str, outcome: Outcome | None, times: int | None) -> None:
        self._outcomes[custom_id] = outcome
        self._left[custom_id] = math.inf if times is None else times

    def _outcome(self, custom_id: str, work: Callable[[], Outcome]) -> Outcome | None:
        """Return the scripted outcome of a request, or that of *work*."""
        if self._left.get(custom_id, 0) <= 0:
            return work()
        self._left[custom_id] -= 1
        return self._outcomes[custom_id]
