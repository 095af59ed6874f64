"""aiohttp's pool of connections, with what is missing there: it tells how far a request is, and guards its queue.

Contract: whoever connects has set `in_progress` in its context. Of aiohttp's own parts, only what the subclasses of
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

from gradient_async._io.http.attempt_timer import Progress

in_progress: ContextVar[Progress] = ContextVar("gradient_async_progress")


class WatchedConnector(aiohttp.TCPConnector):
    """A pool that tells the `Progress` of the request at hand how far it has come.

    aiohttp's own tracing tells the same and costs a fifth of a request.
    """

    async def connect(self, req: ClientRequest, traces: list[Any], timeout: aiohttp.ClientTimeout) -> Connection:
        progress = in_progress.get()
        if progress.sent:
            raise aiohttp.ServerDisconnectedError  # aiohttp would try once more: uncounted, and past the policy
        connection = await self.connect_clean(req, traces, timeout)
        progress.sending(progress.deadline_timer.time())  # nothing is awaited between here and the first byte written
        return connection

    async def connect_clean(self, req: ClientRequest, traces: list[Any], timeout: aiohttp.ClientTimeout) -> Connection:
        """Return a connection: a new one if the request wants that, and none on which something came unasked for.

        aiohttp would take that for the answer to the next request, and every answer from then on for another's.
        """
        progress = in_progress.get()
        try:
            connection = await super().connect(req, traces, timeout)
            while progress.connect_began is None and (
                progress.distrusts_pool or (served := connection.protocol) is None or served.should_close
            ):
                connection.close()
                connection = await super().connect(req, traces, timeout)
        except asyncio.CancelledError:
            self._release_waiter()  # whoever is cancelled as its turn comes would keep that from all behind it
            raise
        return connection

    async def _create_connection(self, *args: Any, **kwargs: Any) -> ResponseHandler:
        progress = in_progress.get()
        progress.connecting(progress.deadline_timer.time())
        protocol = await super()._create_connection(*args, **kwargs)
        progress.connected(progress.deadline_timer.time())
        return protocol
