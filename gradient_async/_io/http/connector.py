"""aiohttp's pool of connections, with what is missing there: it tells how far a request is, and guards its queue.

Contract: whoever connects has set `current_attempt` in its context. Of aiohttp's own parts, only what the subclasses of
its connector replace is touched here, and what wakes the next one in its queue.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import Any

import aiohttp
from aiohttp import ClientRequest
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection

from gradient_async._io.http.attempt_timer import AttemptTimer

current_attempt: ContextVar[AttemptTimer] = ContextVar("gradient_async_progress")


class TimingConnector(aiohttp.TCPConnector):
    """A pool that tells the `AttemptTimer` of the request at hand how far it has come.

    aiohttp's own tracing tells the same and costs a fifth of a request.
    """

    async def connect(self, req: ClientRequest, traces: list[Any], timeout: aiohttp.ClientTimeout) -> Connection:
        timer = current_attempt.get()
        if timer.sent:
            raise aiohttp.ServerDisconnectedError  # aiohttp would try once more: uncounted, and past the policy
        connection = await self.acquire_connection(req, traces, timeout)
        timer.mark_sent(timer.deadline_timer.time())  # nothing is awaited between here and the first byte written
        return connection

    async def acquire_connection(
        self, req: ClientRequest, traces: list[Any], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        """Return a connection: a new one if the request wants that, and none on which something came unasked for.

        aiohttp would take that for the answer to the next request, and every answer from then on for another's.
        """
        timer = current_attempt.get()
        try:
            connection = await super().connect(req, traces, timeout)
            while timer.connect_started_at is None and (
                timer.require_new_connection or (served := connection.protocol) is None or served.should_close
            ):
                connection.close()
                connection = await super().connect(req, traces, timeout)
        except asyncio.CancelledError:
            self._release_waiter()  # whoever is cancelled as its turn comes would keep that from all behind it
            raise
        return connection

    async def _create_connection(self, *args: Any, **kwargs: Any) -> ResponseHandler:
        timer = current_attempt.get()
        timer.start_connect(timer.deadline_timer.time())
        protocol = await super()._create_connection(*args, **kwargs)
        timer.finish_connect(timer.deadline_timer.time())
        return protocol
