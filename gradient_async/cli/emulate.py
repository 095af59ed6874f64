"""``gradient-async emulate``: run the emulator on loopback, for clients in any language."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TypeVar

import click

from gradient_async.testing import Emulator, RecordedRequest

R = TypeVar("R", bound=RecordedRequest)
POLL_SECONDS = 0.25


@click.command("emulate")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="Port; 0 picks a free one."
)
@click.option(
    "--agent-port", type=click.IntRange(0, 65535), default=0, help="Port of the agent; by default a free one."
)
@click.option(
    "--time-scale",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    help="Speed of the rate-limit windows: 60 makes a minute pass in a second.",
)
@click.option(
    "--token-delay", type=click.FloatRange(min=0), default=0.02, show_default=True, help="Seconds between tokens."
)
@click.option(
    "--limits/--no-limits", default=True, show_default=True, help="Refuse requests beyond the documented rate limits."
)
@click.option("--upstream", help="Address of an OpenAI-compatible server that generates the responses.")
def emulate_command(
    *, port: int, agent_port: int, time_scale: float, token_delay: float, limits: bool, upstream: str | None
) -> None:
    """Run an emulator of the service on this machine until Ctrl-C.

    Prints the environment variables that point a client at it; it accepts any key.
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
        asyncio.run(_serve_emulator(emulator))
    except KeyboardInterrupt:
        click.echo("Stopped.", err=True)


async def _serve_emulator(emulator: Emulator) -> None:
    async with aclosing(emulator):
        try:
            await emulator.__aenter__()
        except OSError as error:
            raise click.UsageError(f"Cannot listen: {error.strerror}. Give another --port.") from None
        click.echo(_format_exports(emulator))
        click.echo("Running; Ctrl-C stops it.", err=True)
        while True:
            await asyncio.sleep(POLL_SECONDS)
            _log_finished_requests(emulator.requests)
            _log_finished_requests(emulator.storage.requests)


def _format_exports(emulator: Emulator) -> str:
    """Return the shell lines that point a client at a running *emulator*."""
    variables = {
        "GRADIENT_INFERENCE_ENDPOINT": emulator.url,
        "MODEL_ACCESS_KEY": "emulator",
        "AGENT_ENDPOINT": emulator.agent_url,
        "AGENT_ACCESS_KEY": "emulator-agent",
    }
    return "\n".join(f"export {name}={value}" for name, value in variables.items())


def _log_finished_requests(records: list[R]) -> None:
    """Print the finished requests and remove them: their list must not grow for as long as the emulator runs."""
    for record in [record for record in records if record.finished or record.disconnected]:
        click.echo(f"{record.method} {record.path} {record.status or 'no response'}", err=True)
        records.remove(record)
