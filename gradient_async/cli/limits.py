"""``gradient-async limits``: show the used and free part of each rate limit."""

from __future__ import annotations

import asyncio
import json
import sys

import attrs
import click
from rich.console import Console, Group
from rich.live import Live

from gradient_async import AsyncSession, Limiter, RateLimitInfo
from gradient_async.cli.completion_summary import format_quota
from gradient_async.cli.options import SECONDS, base_url_option
from gradient_async.cli.terminal import build_limits_table, choose_bar_marks, describe_waiting

REDRAW_SECONDS = 0.5


@click.command("limits")
@click.option("--watch", is_flag=True, help="Repeat until Ctrl-C.")
@click.option("--every", type=SECONDS, default=10.0, show_default=True, help="Seconds between requests, with --watch.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON for each request.")
@base_url_option
def limits_command(*, watch: bool, every: float, as_json: bool, base_url: str | None) -> None:
    """Show how much of each rate limit is used.

    Requests the list of models, because every response carries the rate limits in its headers. Requests that others
    sent with the same key are included as far as those headers reveal them.
    """
    try:
        asyncio.run(_show_limits(base_url, every if watch else None, as_json=as_json))
    except KeyboardInterrupt:
        if not watch:
            raise


async def _show_limits(base_url: str | None, every: float | None, *, as_json: bool) -> None:
    async with AsyncSession(base_url=base_url) as session:
        headers = await _fetch_rate_limits(session)
        if every is not None and sys.stdout.isatty() and not as_json:
            await _redraw_forever(session, headers, every)
            return
        _print_limits(session, headers, as_json=as_json)
        while every is not None:
            await asyncio.sleep(every)
            _print_limits(session, await _fetch_rate_limits(session), as_json=as_json)


async def _fetch_rate_limits(session: AsyncSession) -> RateLimitInfo:
    return (await session.models.list()).meta.rate_limit


async def _redraw_forever(session: AsyncSession, headers: RateLimitInfo, every: float) -> None:
    loop, console = asyncio.get_running_loop(), Console(highlight=False)
    fetched_at = loop.time()
    with Live(_render_limits(session, headers, console), console=console, auto_refresh=False) as live:
        while True:
            await asyncio.sleep(min(REDRAW_SECONDS, every))
            if loop.time() - fetched_at >= every:
                headers, fetched_at = await _fetch_rate_limits(session), loop.time()
            live.update(_render_limits(session, headers, console), refresh=True)


def _print_limits(session: AsyncSession, headers: RateLimitInfo, *, as_json: bool) -> None:
    if as_json:
        click.echo(
            json.dumps({"limiter": attrs.asdict(_get_limiter(session).status()), "headers": attrs.asdict(headers)})
        )
        return
    console = Console(highlight=False)
    console.print(_render_limits(session, headers, console))


def _render_limits(session: AsyncSession, headers: RateLimitInfo, console: Console) -> Group:
    status = _get_limiter(session).status()
    quota = format_quota(headers)
    service_note = f"The service reports: {quota}." if quota else "The service sent no rate-limit header."
    table = build_limits_table(status, marks=choose_bar_marks(console))
    return Group(table, "", *describe_waiting(status), service_note)


def _get_limiter(session: AsyncSession) -> Limiter:
    assert session.limits is not None  # noqa: S101 - it is on by default
    return session.limits
