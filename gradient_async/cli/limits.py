"""``gradient-async limits``: show the used and free part of each rate limit."""

from __future__ import annotations

import asyncio
import json
import sys

import attrs
import click
from rich.console import Console, Group
from rich.live import Live

from gradient_async import AsyncSession, RateLimitInfo
from gradient_async._protocol.rate_limit.status import LimiterStatus
from gradient_async.cli.completion_summary import format_quota
from gradient_async.cli.examples import format_examples
from gradient_async.cli.options import SECONDS, open_session, service_options
from gradient_async.cli.terminal import build_limits_table, choose_bar_marks, describe_quotas, describe_waiting
from gradient_async.params import MessageParam

REDRAW_SECONDS = 0.5


@click.command("limits", epilog=format_examples("limits --watch", "limits --model llama3.3-70b-instruct --json"))
@click.option("--watch", is_flag=True, help="Repeat until Ctrl-C.")
@click.option("--every", type=SECONDS, default=10.0, show_default=True, help="Seconds between requests, with --watch.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON for each request.")
@click.option(
    "-m", "--model", help="Also show the quotas of this model. Generates one token, because only that reveals them."
)
@service_options
def limits_command(*, watch: bool, every: float, as_json: bool, model: str | None, base_url: str | None) -> None:
    """Show how much of each rate limit is used.

    Requests the list of models, because every response carries the rate limits in its headers. Requests that others
    sent with the same key are included as far as those headers reveal them.
    """
    try:
        asyncio.run(_show_limits(base_url, every if watch else None, as_json=as_json, model=model))
    except KeyboardInterrupt:
        if not watch:
            raise


async def _show_limits(base_url: str | None, every: float | None, *, as_json: bool, model: str | None) -> None:
    async with open_session(base_url) as session:
        view = _LimitsView(session, model)
        await view.refresh()
        if every is not None and sys.stdout.isatty() and not as_json:
            await _redraw_forever(view, every)
            return
        view.print_limits(as_json=as_json)
        while every is not None:
            await asyncio.sleep(every)
            await view.refresh()
            view.print_limits(as_json=as_json)


async def _redraw_forever(view: _LimitsView, every: float) -> None:
    loop, console = asyncio.get_running_loop(), Console(highlight=False)
    fetched_at = loop.time()
    with Live(view.render_limits(console), console=console, auto_refresh=False) as live:
        while True:
            await asyncio.sleep(min(REDRAW_SECONDS, every))
            if loop.time() - fetched_at >= every:
                await view.refresh()
                fetched_at = loop.time()
            live.update(view.render_limits(console), refresh=True)


@attrs.define(eq=False)
class _LimitsView:
    """The rate limits of a session, and of one model if it is named."""

    _session: AsyncSession
    _model: str | None
    _headers: RateLimitInfo = attrs.field(factory=RateLimitInfo, init=False)

    async def refresh(self) -> None:
        """Send a request for the rate limits in its response."""
        if self._model is None:
            self._headers = (await self._session.models.list()).meta.rate_limit
            return
        question: list[MessageParam] = [{"role": "user", "content": "Hi"}]
        create = self._session.chat.completions.create
        self._headers = (await create(model=self._model, messages=question, max_tokens=1)).meta.rate_limit

    def print_limits(self, *, as_json: bool) -> None:
        """Print the limits once."""
        if as_json:
            click.echo(
                json.dumps({"limiter": attrs.asdict(self._read_status()), "headers": attrs.asdict(self._headers)})
            )
            return
        console = Console(highlight=False)
        console.print(self.render_limits(console))

    def render_limits(self, console: Console) -> Group:
        """Return the limits as a table and notes."""
        status, quota = self._read_status(), format_quota(self._headers)
        service_note = f"The service reports: {quota}." if quota else "The service sent no rate-limit header."
        table = build_limits_table(status, marks=choose_bar_marks(console))
        return Group(table, "", *describe_quotas(status), *describe_waiting(status), service_note)

    def _read_status(self) -> LimiterStatus:
        assert self._session.limits is not None  # noqa: S101 - it is on by default
        return self._session.limits.status(self._model)
