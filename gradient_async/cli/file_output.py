"""Files that commands generate: to a path, or as bytes to stdout.

Contract: whether a file can be written is checked before anything is sent, because a generated file is billed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gradient_async import MediaFile
from gradient_async.cli.terminal import remove_controls

_SAME_SUFFIX = {".jpeg": ".jpg", ".wave": ".wav"}


def _check_folder(_context: click.Context, _option: click.Parameter, path: Path | None) -> Path | None:
    if path is not None and not path.parent.is_dir():
        raise click.BadParameter(f"the directory {str(path.parent)!r} does not exist.")
    return path


output_option = click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    callback=_check_folder,
    help="File to write; without it, the bytes go to stdout.",
)


def require_destination(output: Path | None, *, as_json: bool) -> None:
    """Raise a `click.UsageError` if the bytes of a file would go to a terminal."""
    if output is None and not as_json and sys.stdout.isatty():
        raise click.UsageError("Give a file with -o, or redirect stdout: a terminal cannot show the bytes.")


def guess_format(output: Path | None, given: str | None) -> str | None:
    """Return the file format to ask for: the one that is *given*, else that of the ending of the path."""
    return given or (output.suffix.removeprefix(".").lower() if output is not None else "") or None


def write_file(file: MediaFile, output: Path | None) -> None:
    """Write *file* to the path and say so on stderr, and if its name says another type; without one, to stdout."""
    if output is None:
        sys.stdout.buffer.write(file.content)
        sys.stdout.buffer.flush()
        return
    file.save(output)
    note = f"{output}: {file.content_type}, {len(file.content)} bytes"
    named = output.suffix.lower()
    if named and file.suffix not in (".bin", _SAME_SUFFIX.get(named, named)):
        note += "; the model sent another format than the name says"
    click.echo(remove_controls(note, sys.stderr), err=True)
