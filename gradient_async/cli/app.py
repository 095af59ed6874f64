"""The group of all commands; the module of a command is imported when it is used.

To add a command: a module with a click command called ``command``, and its line in `COMMANDS`.
"""

from __future__ import annotations

import io
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import click

from gradient_async import __version__
from gradient_async.cli.exit_codes import Exit, exit_of
from gradient_async.cli.terminal import printable
from gradient_async.errors import GradientError

COMMANDS = {
    "batch": "gradient_async.cli.batch.commands",
    "chat": "gradient_async.cli.chat",
    "demo": "gradient_async.cli.demo",
    "doctor": "gradient_async.cli.doctor",
    "emulate": "gradient_async.cli.emulate",
    "limits": "gradient_async.cli.limits",
    "map": "gradient_async.cli.map",
    "models": "gradient_async.cli.models",
}


class Commands(click.Group):
    """The commands, and the one place where an error becomes a message and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return every name."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        """Import and return a command, None if there is no such name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(COMMANDS[cmd_name]).command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; our own errors, and those of files, end it without a traceback."""
        _stand_in_for_closed_streams()
        _never_fail_on_odd_characters()
        try:
            return super().invoke(ctx)
        except GradientError as error:
            _end(ctx, str(error), exit_of(error))
        except BrokenPipeError:
            raise  # nobody reads on: click ends without a word
        except OSError as error:
            _end(ctx, f"{error.filename or 'Input or output failed'}: {error.strerror or error}.", Exit.API_ERROR)
        except KeyboardInterrupt:
            ctx.exit(Exit.INTERRUPTED)


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, package_name="gradient-async")
def cli() -> None:
    """DigitalOcean Gradient AI inference from the command line.

    Data goes to stdout, notes to stderr. Exit codes: 0 ok, 1 API error, 2 usage or configuration,
    3 partial failure, 130 interrupted.
    """


def _end(ctx: click.Context, message: str, code: Exit) -> NoReturn:
    click.echo(f"{ctx.info_name}: {printable(message, sys.stderr)}", err=True)
    ctx.exit(code)


def _stand_in_for_closed_streams() -> None:
    """Read nothing and write nowhere where the process was started with a stream closed: Python has None there."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - for the whole process


def _never_fail_on_odd_characters() -> None:
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
