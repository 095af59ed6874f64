"""What the gateway answers itself: the live page, the numbers that feed it, and the metrics."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import attrs
from aiohttp import web

from gradient_async._protocol.codec.json_text import encode_jsonable
from gradient_async.gateway.prometheus import CONTENT_TYPE, format_metrics
from gradient_async.gateway.statistics import Statistics
from gradient_async.gateway.status_page import PAGE_HEADERS, build_status, read_page

if TYPE_CHECKING:
    from gradient_async._io.rate_limit.permit import Limiter
    from gradient_async._protocol.rate_limit.status import LimiterStatus

_METHODS = frozenset({"GET", "HEAD"})
_SHOWN_QUOTAS = 50


@attrs.define(eq=False, repr=False)
class OwnPages:
    """The pages of a gateway.

    Attributes:
        statistics: The counts of all requests.
        limiter: The limiter behind the gateway; None without one.
    """

    statistics: Statistics
    limiter: Limiter | None

    def show_page(self, method: str, path: str, *, draining: bool) -> web.Response | None:
        """Return the page at *path*, None if it has none; *draining* says whether the gateway is stopping."""
        if method not in _METHODS:
            return None
        if path == "/":
            return web.Response(body=read_page(), content_type="text/html", charset="utf-8", headers=PAGE_HEADERS)
        if path == "/status.json":
            return self._show_status(draining=draining)
        if path == "/metrics":
            text = format_metrics(self.statistics, self._read_limits())
            return web.Response(body=text.encode(), headers={"Content-Type": CONTENT_TYPE})
        return None

    def _show_status(self, *, draining: bool) -> web.Response:
        now = asyncio.get_running_loop().time()
        status = build_status(self.statistics, self._read_limits(), now, quotas=self._read_quotas(), draining=draining)
        return web.Response(body=encode_jsonable(status), content_type="application/json", headers=PAGE_HEADERS)

    def _read_limits(self) -> LimiterStatus | None:
        return None if self.limiter is None else self.limiter.status()

    def _read_quotas(self) -> list[LimiterStatus]:
        """Return the state of the limiter for each of the models that are shown."""
        limiter = self.limiter
        return [] if limiter is None else [limiter.status(model) for model in limiter.status().models[:_SHOWN_QUOTAS]]
