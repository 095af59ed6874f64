"""`RedisStore`: the exchanges of one process with Redis, one at a time.

Contract: an exchange that fails for any reason raises `RedisUnavailable`, nothing else, after a bounded
time. It is repeated once, and only if the connection broke: a server closes connections that are idle. The
script notices a repeated exchange.
"""

from __future__ import annotations

from gradient_async._io.deadline_timer import DeadlineTimer, PhaseTimer
from gradient_async.limits.redis.connection import Connect
from gradient_async.limits.redis.failures import RedisUnavailable, describe_failure
from gradient_async.limits.redis.messages import Exchange
from gradient_async.limits.redis.replies import MalformedReplyError, Reply, parse_reply

__all__ = ["RedisStore"]

_ATTEMPTS = 2


class RedisStore:
    """Exchanges messages with the script.

    Args:
        connect: Opens a connection for the running loop.
        timeout: Seconds that one exchange may take. The first one may take a multiple if it has to find the server.
    """

    def __init__(self, connect: Connect, *, timeout: float) -> None:
        self._connection, self._timeout = connect(), timeout
        self._has_found_server = False
        self._timer: DeadlineTimer | None = None

    @property
    def longest_exchange(self) -> float:
        """Seconds that the next exchange may take."""
        return self._timeout * (1 if self._has_found_server else self._connection.steps)

    async def exchange(self, message: Exchange) -> Reply:
        """Run the script with *message* and return its reply.

        Raises:
            RedisUnavailable: There is none.
        """
        failure = RedisUnavailable("TimeoutError")
        if self._timer is None:
            self._timer = DeadlineTimer()
        try:
            with PhaseTimer(self._timer, self._timer.time() + self.longest_exchange):
                reply = await self._evaluate(message)
                self._has_found_server = True
                return reply
        except TimeoutError:
            pass
        except MalformedReplyError:
            failure = RedisUnavailable("the reply is not the script's")
        except Exception as error:  # noqa: BLE001  whatever answers at the address, nobody waits for ever
            failure = describe_failure(error)
        # Raised here, where no exception that may hold the address becomes the context.
        raise failure

    async def _evaluate(self, message: Exchange) -> Reply:
        keys, argument = message.keys, message.to_json()
        for _ in range(_ATTEMPTS - 1):
            try:
                return parse_reply(await self._connection.evaluate(keys, argument), message)
            except MalformedReplyError:
                await self._connection.aclose()  # the next reply on it may be one to this exchange
                raise
            except Exception as error:
                if not _is_broken_connection(error):
                    raise
        return parse_reply(await self._connection.evaluate(keys, argument), message)

    async def aclose(self) -> None:
        """Close the connections that are ours."""
        await self._connection.aclose()


def _is_broken_connection(error: Exception) -> bool:
    """Whether *error* is the end of a connection, in any Redis client: not a timeout, not a refused login."""
    return type(error).__name__ == "ConnectionError"
