"""``gradient-async demo``: a tour of the library in a few seconds, without a key."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import click
from rich.console import Console

from gradient_async import AsyncSession, __version__
from gradient_async.cli.demo_steps import STEPS, Stage
from gradient_async.cli.examples import format_examples
from gradient_async.cli.options import combine_options, network_options, open_session
from gradient_async.cli.settings import DEFAULT_MODEL, MODEL_VARIABLE, look_up_agent_endpoint, look_up_agent_key
from gradient_async.testing import Emulator

TOKEN_DELAY = 0.03
"""Seconds between the tokens of the emulator."""


@click.command("demo", epilog=format_examples("demo", "demo --live"))
@click.option("--live", is_flag=True, help="Use the real service, with the key from the environment.")
@combine_options(*network_options)
def demo_command(*, live: bool) -> None:
    """Show a chat, a stream, an agent, a batch and the rate limits.

    Without --live nothing leaves this machine: the client talks to the emulator.
    """
    asyncio.run(_run_demo(live=live))


async def _run_demo(*, live: bool) -> None:
    console = Console(highlight=False)
    async with _open_live_stage(console) if live else _open_emulated_stage(console) as stage:
        where = "the real service" if live else "the emulator on this machine; nothing leaves it"
        console.print(f"[bold]gradient_async {__version__}[/] with {where}")
        for number, step in enumerate(STEPS, 1):
            console.print(f"\n[bold cyan]{number}. {step.title}[/]  [dim]{step.call}[/]", soft_wrap=True)
            await step.run(stage)
    console.print()


@asynccontextmanager
async def _open_emulated_stage(console: Console) -> AsyncIterator[Stage]:
    async with (
        Emulator(limits="documented", token_delay=TOKEN_DELAY) as gradient,
        AsyncSession(
            api_key="demo", base_url=gradient.url, agent_endpoint=gradient.agent_url, agent_access_key="demo-agent"
        ) as session,
    ):
        yield Stage(console=console, session=session, model=DEFAULT_MODEL)


@asynccontextmanager
async def _open_live_stage(console: Console) -> AsyncIterator[Stage]:
    has_agent = bool(look_up_agent_endpoint(os.environ).found and look_up_agent_key(os.environ).found)
    async with open_session() as session:
        await session.models.list()  # a missing or wrong key ends the demo before its first step
        model = os.environ.get(MODEL_VARIABLE) or DEFAULT_MODEL
        yield Stage(console=console, session=session, model=model, live=True, has_agent=has_agent)
