"""An answer that has begun: reading its body, or giving its connection up.

Contract: `close` needs no await, works from any thread and wakes whoever reads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import lru_cache
from typing import Any, Protocol

import aiohttp

from gradient_async._io.progress import Progress
from gradient_async.errors import GradientError

BROKEN = (aiohttp.ClientError, OSError, RuntimeError)
"""What reading a body raises; RuntimeError is aiohttp's word for "not connected"."""


class Owner(Protocol):
    """What an exchange needs of the transport that made it."""

    def problem(self, caught: Exception, progress: Progress) -> GradientError:
        """Return our error for one of aiohttp's."""
        ...

    def forget(self, exchange: Exchange) -> None:
        """Note that *exchange* has been read or given up."""
        ...


class Exchange:
    """An answer whose status line has arrived; its body is read here, or the connection given up.

    Attributes:
        status: The HTTP status.
        headers: The response headers; names match whatever the case.
        raw_headers: The same as they arrived.
        arrived: When the status line came, on the loop's clock.
        time: Tells the time on the clock of the loop that this belongs to.
        read: What `next_block` awaits, for those who read so often that they deal with `BROKEN` themselves.
    """

    __slots__ = (
        *("_content", "_owner", "_response"),
        *("arrived", "headers", "progress", "raw_headers", "read", "status", "time"),
    )

    def __init__(self, progress: Progress, response: aiohttp.ClientResponse, owner: Owner) -> None:
        self.progress, self._response, self._owner = progress, response, owner
        self._content = response.content
        self.read: Callable[[], Coroutine[Any, Any, bytes]] = self._content.readany
        self.status: int = response.status
        self.headers: Mapping[str, str] = response.headers
        self.raw_headers: tuple[tuple[bytes, bytes], ...] = response.raw_headers
        self.time: Callable[[], float] = progress.timers.time
        self.arrived = self.time()

    @property
    def content_type(self) -> str:
        """The media type, lower case, without parameters; ``""`` if there is none."""
        return _media_type(self.headers.get("Content-Type", ""))

    @property
    def at_eof(self) -> bool:
        """Whether the whole body was read, and the connection is back in the pool."""
        return self._content.at_eof()

    def whole_body(self) -> bytes | None:
        """Return the body if all of it has arrived and none was read, as is so with most answers; else None."""
        if not self._content.is_eof() or self._content.exception() is not None:
            return None
        self._owner.forget(self)
        return self._content.read_nowait()

    async def next_block(self) -> bytes:
        """Return the next bytes of the body, ``b""`` at its end.

        Raises:
            APIConnectionError: The connection broke, or `close` was called.
        """
        try:
            block = await self.read()
        except BROKEN as caught:
            error = self.problem(caught)
        else:
            if self._content.at_eof():
                self._owner.forget(self)
            return block
        raise error

    def problem(self, caught: Exception) -> GradientError:
        """Return our error for one of those that `read` raises."""
        caught.__traceback__ = None  # aiohttp raises one and the same object for every closed response
        return self._owner.problem(caught, self.progress)

    async def drain(self, seconds: float) -> None:
        """Read to the end of the body, so that the connection can be used again; give it up after *seconds*."""
        try:
            async with asyncio.timeout(seconds):
                while await self.next_block():
                    pass
        except (GradientError, TimeoutError):
            self.close()

    def close(self) -> None:
        """Give the connection up, now; whoever reads the body is woken. Safe from any thread."""
        self._owner.forget(self)
        loop = self.progress.timers.loop
        if _runs_here(loop):
            self._response.close()
        elif not loop.is_closed():
            loop.call_soon_threadsafe(self._response.close)


@lru_cache(maxsize=64)
def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _runs_here(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False
