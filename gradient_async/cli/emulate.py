"""``gradient-async emulate``: the service on loopback, for any client in any language."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TypeVar

import click

from gradient_async.testing import Emulator, RecordedRequest

R = TypeVar("R", bound=RecordedRequest)
POLL_SECONDS = 0.25


@click.command("emulate")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0 takes a free one.")
@click.option("--agent-port", type=click.IntRange(0, 65535), default=0, help="The agent's port; by default a free one.")
@click.option("--time-scale", type=click.FloatRange(min=0, min_open=True), default=1.0, help="How fast the limits run.")
@click.option("--token-delay", type=click.FloatRange(min=0), default=0.02, show_default=True, help="Seconds per token.")
@click.option("--limits/--no-limits", default=True, show_default=True, help="Refuse what the documents would refuse.")
@click.option("--upstream", help="Let an OpenAI-compatible server at this address give the answers.")
def command(
    *, port: int, agent_port: int, time_scale: float, token_delay: float, limits: bool, upstream: str | None
) -> None:
    """Run an emulator of the service on this machine until Ctrl-C.

    Prints the environment variables that point a client at it; any key is accepted.
    """
    emulator = Emulator(
        port=port,
        agent_port=agent_port,
        time_scale=time_scale,
        token_delay=token_delay,
        limits="documented" if limits else None,
        upstream=upstream,
    )
    try:
        asyncio.run(_serve(emulator))
    except KeyboardInterrupt:
        click.echo("Stopped.", err=True)


def exports(emulator: Emulator) -> str:
    """Return the shell lines that point a client at a running *emulator*."""
    variables = {
        "GRADIENT_INFERENCE_ENDPOINT": emulator.url,
        "MODEL_ACCESS_KEY": "emulator",
        "AGENT_ENDPOINT": emulator.agent_url,
        "AGENT_ACCESS_KEY": "emulator-agent",
    }
    return "\n".join(f"export {name}={value}" for name, value in variables.items())


async def _serve(emulator: Emulator) -> None:
    async with aclosing(emulator):
        await _start(emulator)
        click.echo(exports(emulator))
        click.echo("Running; Ctrl-C stops it.", err=True)
        while True:
            await asyncio.sleep(POLL_SECONDS)
            _log(emulator.requests)
            _log(emulator.storage.requests)


async def _start(emulator: Emulator) -> None:
    try:
        await emulator.__aenter__()
    except OSError as error:
        raise click.UsageError(f"Cannot listen: {error.strerror}. Give another --port.") from None


def _log(seen: list[R]) -> None:
    """Print what was answered, and forget it: an emulator that runs for days must not remember everything."""
    for record in [record for record in seen if record.finished or record.disconnected]:
        click.echo(f"{record.method} {record.path} {record.status or 'no answer'}", err=True)
        seen.remove(record)
