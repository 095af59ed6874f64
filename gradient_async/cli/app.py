"""The command group ``gradient-async``; a command's module is imported when the command is used, not to list it.

To add a command: a module with a click command, and its line in `COMMANDS`.
"""

from __future__ import annotations

import io
import os
import sys
from importlib import import_module
from typing import Any, NoReturn

import click

from gradient_async import __version__
from gradient_async.cli.exit_codes import ExitCode, exit_code_for
from gradient_async.errors import GradientError

COMMANDS = {
    "batch": ("gradient_async.cli.batch.commands:batch_command", "Run thousands of requests as one job, within a day."),
    "chat": ("gradient_async.cli.chat:chat_command", "Send PROMPT and print the response."),
    "demo": ("gradient_async.cli.demo:demo_command", "Show a chat, a stream, an agent, a batch and the rate limits."),
    "doctor": ("gradient_async.cli.doctor:doctor_command", "Check the configuration, the hosts and the installation."),
    "embed": ("gradient_async.cli.embed:embed_command", "Print the vector of each of TEXTS as one line of JSON."),
    "emulate": (
        "gradient_async.cli.emulate:emulate_command",
        "Run an emulator of the service on this machine until Ctrl-C.",
    ),
    "image": ("gradient_async.cli.image:image_command", "Generate an image of PROMPT."),
    "limits": ("gradient_async.cli.limits:limits_command", "Show how much of each rate limit is used."),
    "map": ("gradient_async.cli.map:map_command", "Send each row of SOURCE and write the responses as JSON."),
    "models": ("gradient_async.cli.models:models_command", "List the models that the key may use."),
    "proxy": ("gradient_async.cli.proxy:proxy_command", "Run a gateway with the key and the budget until Ctrl-C."),
    "speech": ("gradient_async.cli.speech:speech_command", "Speak TEXT."),
    "video": ("gradient_async.cli.video:video_command", "Generate a video of PROMPT and save it with -o."),
}
"""Import path and summary of each command, by the name that users type."""


def load_command(name: str) -> click.Command:
    """Import the command that users type as *name*, a key of `COMMANDS`."""
    module, _, attribute = COMMANDS[name][0].partition(":")
    command: click.Command = getattr(import_module(module), attribute)
    return command


class CommandGroup(click.Group):
    """Imports commands on use, and turns errors into a message and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names of all commands."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        """Import and return a command, None if the name is unknown."""
        return load_command(cmd_name) if cmd_name in COMMANDS else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in sorted(COMMANDS.items())])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a `GradientError` or OSError ends it with one line instead of a traceback."""
        _replace_closed_streams()
        _replace_unencodable_characters()
        try:
            return super().invoke(ctx)
        except GradientError as error:
            _exit_with_message(ctx, _describe_error(ctx, error), exit_code_for(error))
        except BrokenPipeError:
            raise  # the reader of the pipe has closed it: click exits silently
        except OSError as error:
            message = f"{error.filename or 'Input or output failed'}: {error.strerror or error}."
            _exit_with_message(ctx, message, ExitCode.API_ERROR)
        except KeyboardInterrupt:
            ctx.exit(ExitCode.INTERRUPTED)


PROFILE_NAME, PROFILE = "gradient_async.profile_name", "gradient_async.profile"
"""Keys in the meta data of a click context: the name from the program's option, the `AppliedProfile` of a command."""


def _keep_profile(ctx: click.Context, _option: click.Parameter, name: str | None) -> None:
    """Keep the name for the command: reading the file may not delay help."""
    ctx.meta[PROFILE_NAME] = name


EXAMPLES = """\b
Examples:
  gradient-async demo
  gradient-async chat "What is the capital of Portugal?"
  gradient-async COMMAND --help"""


@click.command(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXAMPLES)
@click.option(
    "--profile",
    metavar="NAME",
    callback=_keep_profile,
    expose_value=False,
    help="Profile of the configuration file, as after a command.",
)
@click.version_option(__version__, package_name="gradient-async")
def cli() -> None:
    """DigitalOcean Gradient AI inference from the command line.

    Data goes to stdout, notes to stderr. Exit codes: 0 ok, 1 API error, 2 usage or configuration,
    3 partial failure, 130 interrupted.
    """


def _describe_error(ctx: click.Context, error: GradientError) -> str:
    """Return the message of *error* with options, and the fields of a profile, for arguments and variables."""
    from gradient_async.cli.error_text import name_options  # most commands succeed

    message, applied = name_options(str(error)), ctx.meta.get(PROFILE)
    return message if applied is None else str(applied.name_fields(message))


def _exit_with_message(ctx: click.Context, message: str, code: ExitCode) -> NoReturn:
    from gradient_async.cli.terminal import remove_controls  # loads rich, which help does not need

    click.echo(f"{ctx.info_name}: {remove_controls(message, sys.stderr)}", err=True)
    ctx.exit(code)


def _replace_closed_streams() -> None:
    """Open the null device for each standard stream that is closed: Python sets such a stream to None."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: PTH123, SIM115 - without pathlib; for the process
            setattr(sys, name, stream)


def _replace_unencodable_characters() -> None:
    """Print a replacement for characters that a stream's encoding lacks, instead of failing."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
