"""``gradient-async limits``: what is left of the account's budget."""

from __future__ import annotations

import asyncio
import json
import sys

import attrs
import click
from rich.console import Console, Group
from rich.live import Live

from gradient_async import AsyncSession, Limiter, RateLimitInfo
from gradient_async.cli.answer_summary import quota
from gradient_async.cli.terminal import bar_marks, limits_notes, limits_table

REDRAW_SECONDS = 0.5


@click.command("limits")
@click.option("--watch", is_flag=True, help="Go on until Ctrl-C.")
@click.option("--every", type=click.FloatRange(min=0.01), default=10.0, show_default=True, help="Seconds.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON for each time of asking.")
@click.option("--base-url", help="Another address of the service.")
def command(*, watch: bool, every: float, as_json: bool, base_url: str | None) -> None:
    """Show how much of each rate limit is used.

    Asks for the list of models, because the limits are told in the headers of every answer. What others sent with
    the same key shows as far as those headers give it away.
    """
    try:
        asyncio.run(_limits(base_url, every if watch else None, as_json=as_json))
    except KeyboardInterrupt:
        if not watch:
            raise


async def _limits(base_url: str | None, every: float | None, *, as_json: bool) -> None:
    async with AsyncSession(base_url=base_url) as session:
        said = await _ask(session)
        if every is not None and sys.stdout.isatty() and not as_json:
            await _watch(session, said, every)
            return
        _print(session, said, as_json=as_json)
        while every is not None:
            await asyncio.sleep(every)
            _print(session, await _ask(session), as_json=as_json)


async def _ask(session: AsyncSession) -> RateLimitInfo:
    return (await session.models.list()).meta.rate_limit


async def _watch(session: AsyncSession, said: RateLimitInfo, every: float) -> None:
    loop, console = asyncio.get_running_loop(), Console(highlight=False)
    asked = loop.time()
    with Live(_view(session, said, console), console=console, auto_refresh=False) as live:
        while True:
            await asyncio.sleep(min(REDRAW_SECONDS, every))
            if loop.time() - asked >= every:
                said, asked = await _ask(session), loop.time()
            live.update(_view(session, said, console), refresh=True)


def _print(session: AsyncSession, said: RateLimitInfo, *, as_json: bool) -> None:
    if as_json:
        facts = {"limiter": attrs.asdict(_limiter(session).status()), "headers": attrs.asdict(said)}
        click.echo(json.dumps(facts))
        return
    console = Console(highlight=False)
    console.print(_view(session, said, console))


def _view(session: AsyncSession, said: RateLimitInfo, console: Console) -> Group:
    status = _limiter(session).status()
    heard = quota(said)
    answer = f"The service says: {heard}." if heard else "The service sent no rate-limit header."
    return Group(limits_table(status, marks=bar_marks(console)), "", *limits_notes(status), answer)


def _limiter(session: AsyncSession) -> Limiter:
    assert session.limits is not None  # noqa: S101 - it is on by default
    return session.limits
