"""``gradient-async emulate``: run the emulator on loopback, for clients in any language."""

from __future__ import annotations

import asyncio
import shlex
from contextlib import aclosing
from typing import Any, TypeVar

import click

from gradient_async.cli.emulate_options import add_emulator_options, collect_settings
from gradient_async.cli.examples import format_examples
from gradient_async.cli.interruption import run_interruptible
from gradient_async.testing import Emulator, RecordedRequest

R = TypeVar("R", bound=RecordedRequest)
POLL_SECONDS = 0.25


@click.command(
    "emulate",
    epilog=format_examples(
        "emulate --port 8080 --no-limits", "emulate --tier llama3.3-70b-instruct=60/100000 --batch-seconds 5"
    ),
)
@add_emulator_options
def emulate_command(**options: Any) -> None:
    """Run an emulator of the service on this machine until Ctrl-C.

    Prints the environment variables that point a client at it; it accepts any key but for --api-key and --agent-key.
    """
    emulator = Emulator(**collect_settings(**options))
    try:
        run_interruptible(_serve_emulator(emulator))
    except KeyboardInterrupt:
        click.echo("Stopped.", err=True)


async def _serve_emulator(emulator: Emulator) -> None:
    async with aclosing(emulator):
        try:
            await emulator.__aenter__()
        except OSError as error:
            raise click.UsageError(f"Cannot listen: {error.strerror}. Give another --port.") from None
        except ImportError as error:
            raise click.UsageError(str(error)) from None
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
        "MODEL_ACCESS_KEY": emulator.api_key or "emulator",
        "AGENT_ENDPOINT": emulator.agent_url,
        "AGENT_ACCESS_KEY": emulator.agent_key or "emulator-agent",
    }
    if emulator.tls:  # read by OpenSSL, and so by Python, and by Node
        variables |= dict.fromkeys(("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"), str(emulator.ca_file))
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())


def _log_finished_requests(records: list[R]) -> None:
    """Print the finished requests and remove them: their list must not grow for as long as the emulator runs."""
    for record in [record for record in records if record.finished or record.disconnected]:
        ending = "" if record.finished else ", the client left early"
        click.echo(f"{record.method} {record.path} {record.status or 'no response'}{ending}", err=True)
        records.remove(record)
