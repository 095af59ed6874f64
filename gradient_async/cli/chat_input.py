"""The texts of a chat from the command line and from files: the prompt and the system instructions."""

from __future__ import annotations

from pathlib import Path

import click

from gradient_async.cli.attachments import decode_text
from gradient_async.cli.prompt_input import read_optional_prompt, read_prompt
from gradient_async.cli.prompt_template import PROMPT_FIELD, fill_template, find_fields


def read_system(text: str | None, path: Path | None) -> str | None:
    """Return the system instructions: the *text*, or the content of the file at *path*."""
    if path is None:
        return text
    if text is not None:
        raise click.UsageError("Give --system or --system-file, not both.")
    return read_text_file(path)


def build_prompt(prompt: str | None, template: Path | None, values: dict[str, str]) -> str:
    """Return the text of the user: the prompt, or the *template* that is filled with it and with *values*."""
    if template is None:
        if values:
            raise click.UsageError("-p needs a --template.")
        return read_prompt(prompt)
    text = read_text_file(template)
    needs_prompt = PROMPT_FIELD in find_fields(text) and PROMPT_FIELD not in values
    return fill_template(text, values, read_prompt(prompt) if needs_prompt else read_optional_prompt(prompt))


def read_text_file(path: Path) -> str:
    """Return the text of a file.

    Raises:
        click.UsageError: It is not text.
    """
    text = decode_text(path.read_bytes())
    if text is None:
        raise click.UsageError(f"{path} is not text in UTF-8.")
    return text
