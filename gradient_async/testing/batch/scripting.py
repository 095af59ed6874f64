"""The scripting methods of the batch service.

Contract: a method only adds to queues. Faults of calls are scripted like those of other endpoints, with a path, for
example ``gradient.fail(429, path="/v1/batches/*")``.
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
from gradient_async.testing.scripting.faults import BEFORE_HEADERS, Disconnect
from gradient_async.testing.storage.host import StorageHost


@attrs.define(kw_only=True, eq=False)
class BatchScriptingAPI:
    """The settings and scripting methods of the batch service.

    *seconds*, *queued* and *max_requests* apply to jobs created after a change, the other settings at once.

    Attributes:
        storage: The host of the files; its script is that of the service.
        seconds: The duration of a job in seconds; None to step jobs with `advance`.
        shape: The shape of responses: as in the reference, or as captured from the service.
        anthropic_endpoint: Whether ``endpoint`` is required or forbidden in a job for Anthropic.
        queued: Whether a job starts in ``queued``; None for the default of *shape* (yes if captured).
        not_ready: The response to a call for results that are not available: a 412, or a 200 whose
            ``result_available`` is false.
        late: The number of such responses after the end of each job.
        replay_status: The HTTP status of a create call whose ``request_id`` is known.
        max_requests: The maximum number of requests in an input file.
    """

    storage: StorageHost = attrs.field(repr=False)
    seconds: float | None = 0.3
    shape: Literal["reference", "captured"] = "reference"
    anthropic_endpoint: Literal["required", "forbidden"] = "required"
    queued: bool | None = None
    not_ready: Literal["412", "flag"] = "412"
    late: int = 0
    replay_status: int = 201
    max_requests: int = 50_000
    _outcomes: dict[str, Outcome | None] = attrs.field(factory=dict, init=False, repr=False)
    _remaining: dict[str, float] = attrs.field(factory=dict, init=False, repr=False)
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
        """Fail a request of the next job that contains it; call this before the job is created.

        Example: ``gradient.batches.fail_line("id-1", status=503)``.

        Args:
            custom_id: The id of the request.
            status: The HTTP status of the response; None for a request without a response.
            code: The code of the error; without a response, by default ``server_error``.
            message: The message of the error.
            times: The number of jobs in which the request fails; None for all.
        """
        outcome = Outcome(status=status, code=code or ("server_error" if status is None else ""), message=message)
        self._script_line(custom_id, outcome, times)

    def drop_line(self, custom_id: str, *, times: int | None = 1) -> None:
        """Leave a request out of both result files; call this before the job is created.

        Example: ``gradient.batches.drop_line("id-1")``.

        Args:
            custom_id: The id of the request.
            times: The number of jobs that lose the request; None for all.
        """
        self._script_line(custom_id, None, times)

    def expire(self, *, after: float = 0.5, times: int = 1) -> None:
        """Expire the next job when a share of its requests is executed.

        Example: ``gradient.batches.expire(after=0.25)`` gives a job of four requests one result and three errors.

        Args:
            after: The share of the requests to execute, from 0 to 1.
            times: The number of jobs that expire.
        """
        self._shares.extend([after] * times)

    def show_status(self, status: str, *, times: int = 1) -> None:
        """Report *status* in the next call that retrieves an unfinished job; the job itself is not changed.

        Example: ``gradient.batches.show_status("paused")`` tests a status that the client does not know.

        Args:
            status: The status to report.
            times: The number of calls that report it.
        """
        self._statuses.extend([status] * times)

    def lose_answer(self, *, times: int | None = 1, path: str = "/v1/batches") -> None:
        """Process the next POST or PUT, but reset the connection before its response.

        Example: ``gradient.batches.lose_answer()`` creates a job whose ``batch_id`` the client does not get.

        Args:
            times: The number of calls whose response is lost; None for all.
            path: A pattern of the paths of the calls, of the API or of the storage host (``"/inputs/*"``).
        """

        def matches(request: RecordedRequest) -> bool:
            return request.method in ("POST", "PUT") and fnmatchcase(request.path, path)

        self.storage.script.add_effect("lost", Disconnect(after=BEFORE_HEADERS), times=times, matches=matches)

    def _script_line(self, custom_id: str, outcome: Outcome | None, times: int | None) -> None:
        self._outcomes[custom_id] = outcome
        self._remaining[custom_id] = math.inf if times is None else times

    def _execute_scripted(self, custom_id: str, execute: Callable[[], Outcome]) -> Outcome | None:
        """Return the scripted outcome of a request, else that of *execute*."""
        if self._remaining.get(custom_id, 0) <= 0:
            return execute()
        self._remaining[custom_id] -= 1
        return self._outcomes[custom_id]
