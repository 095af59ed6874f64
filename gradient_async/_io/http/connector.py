"""aiohttp's connection pool, extended: it times the phases of each attempt and guards its own queue.

Contract: the caller sets `current_attempt` in its context before it connects. Of aiohttp's private names, this module
uses `_create_connection`, which subclasses of its connector override, and `_release_waiter`, which wakes the next
waiter in its queue.
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

current_attempt: ContextVar[AttemptTimer] = ContextVar("gradient_async_attempt")


class TimingConnector(aiohttp.TCPConnector):
    """A connection pool that records the phases of the current attempt on its `AttemptTimer`.

    aiohttp's own tracing reports the same and costs a fifth of a request.
    """

    async def connect(self, req: ClientRequest, traces: list[Any], timeout: aiohttp.ClientTimeout) -> Connection:
        timer = current_attempt.get()
        if timer.sent:
            raise aiohttp.ServerDisconnectedError  # aiohttp would retry: uncounted, and past the retry policy
        connection = await self.acquire_connection(req, traces, timeout)
        timer.mark_sent(timer.deadline_timer.time())  # nothing is awaited between here and the first byte written
        return connection

    async def acquire_connection(
        self, req: ClientRequest, traces: list[Any], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        """Return a pooled connection, or a new one if the attempt requires that.

        Discard connections with unsolicited bytes: aiohttp would parse them as the response to this request, and
        shift all later responses by one.
        """
        timer = current_attempt.get()
        try:
            connection = await super().connect(req, traces, timeout)
            while timer.connect_started_at is None and (
                timer.require_new_connection or (protocol := connection.protocol) is None or protocol.should_close
            ):
                connection.close()
                connection = await super().connect(req, traces, timeout)
        except asyncio.CancelledError:
            self._release_waiter()  # a waiter cancelled at its turn would otherwise keep the slot from those behind it
            raise
        return connection

    async def _create_connection(self, *args: Any, **kwargs: Any) -> ResponseHandler:
        timer = current_attempt.get()
        timer.start_connect(timer.deadline_timer.time())
        protocol = await super()._create_connection(*args, **kwargs)
        timer.finish_connect(timer.deadline_timer.time())
        return protocol
