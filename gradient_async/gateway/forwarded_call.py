"""One request of a caller, from its arrival to its end: the response, or the failure that stands for it.

Contract: whatever happens, the caller gets a response, and nothing of the request is logged.
"""

from __future__ import annotations

import logging
import math
import traceback

import attrs
from aiohttp import web

from gradient_async._io.http.target import Target
from gradient_async.errors import ConfigurationError, GradientError
from gradient_async.gateway.failures import Failure, build_failure, translate_failure
from gradient_async.gateway.forwarded_request import ForwardedRequest
from gradient_async.gateway.relay import Relay, break_connection, build_failure_response
from gradient_async.gateway.routes import Route
from gradient_async.gateway.statistics import CALLER_LEFT, FinishedRequest
from gradient_async.gateway.upstream import Upstream

MAX_BODY_BYTES = 256 * 1024 * 1024
_UPSTREAM_LOST = 502
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

logger = logging.getLogger("gradient_async.gateway")
logger.addHandler(logging.NullHandler())


@attrs.define(eq=False, repr=False)
class ForwardedCall:
    """A call through the gateway.

    Attributes:
        upstream: The services behind the gateway.
        route: The destination of the request.
        started_at: When the request arrived.
        relay: Sends the request, and passes the response on.
        status: The status for the counts; that of a caller who left until the response is known.
    """

    upstream: Upstream
    route: Route
    started_at: float
    relay: Relay = attrs.field(init=False)
    status: int = CALLER_LEFT
    request: ForwardedRequest | None = None
    target: Target | None = None

    def __attrs_post_init__(self) -> None:
        self.relay = Relay(self.upstream.pipeline)

    async def answer(self, caller: web.BaseRequest) -> web.StreamResponse:
        """Return the response, or the failure that stands for it."""
        try:
            response = await self._send(caller)
        except web.HTTPRequestEntityTooLarge:
            response = build_failure_response(
                build_failure(413, f"The body is larger than {MAX_BODY_BYTES >> 20} MiB; upload files to storage.")
            )
        except ConnectionError:  # the caller left between two blocks
            break_connection(caller)
            begun = self.relay.response
            return web.Response(status=CALLER_LEFT) if begun is None else begun
        except GradientError as error:
            response = build_failure_response(self._translate(error))
        except Exception as error:  # noqa: BLE001 - one failing request must not be silent, nor quote its prompt
            response = build_failure_response(_report_unexpected(error))
        self.status = _UPSTREAM_LOST if self.relay.lost else response.status
        return response

    async def _send(self, caller: web.BaseRequest) -> web.StreamResponse:
        target = self.target = self.upstream.find_target(self.route.destination, caller)
        if "Expect" in caller.headers:
            await _request_body(caller)
        body = await caller.read()
        request = self.request = self.upstream.translate_request(self.route, target, caller, body)
        return await self.relay.relay_request(request, target, caller)

    def _translate(self, error: GradientError) -> Failure:
        model = None if self.request is None else self.request.model
        limiter = None if self.target is None else self.target.limiter
        wait = 0.0 if limiter is None else limiter.estimate(1, model)
        if isinstance(error, ConfigurationError) and self.target is None:
            return build_failure(404, str(error))
        refusal = None if self.request is None else self.request.refusal
        return translate_failure(error, refusal, wait if wait < math.inf else 0.0)

    def describe(self, now: float) -> FinishedRequest:
        """Return the request for the counts, after its end at *now*."""
        return FinishedRequest(
            model=None if self.request is None else self.request.model,
            status=self.status,
            seconds=now - self.started_at,
            limiter_wait=self.relay.limiter_wait,
            usage=self.relay.usage,
        )


async def _request_body(caller: web.BaseRequest) -> None:
    """Tell a caller to send the body that it holds back (RFC 9110, section 10.1.1); curl does for long ones."""
    if caller.version >= (1, 1) and caller.headers["Expect"].lower() == "100-continue":
        await caller.writer.write(_CONTINUE)


def _report_unexpected(error: Exception) -> Failure:
    """Log the kind and the place of an unexpected error, without its message, and return the response for it."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    logger.error("unexpected %s at %s:%s", type(error).__name__, place.filename, place.lineno)
    return build_failure(500, f"The gateway failed with {type(error).__name__}; its log names the place.")
