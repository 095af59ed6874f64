"""Any parameter of a request from the command line, as ``-o top_p=0.9 -o stop='["END"]'``.

Contract: pure. A value is JSON if it can be read as such, else text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NoReturn

import click

from gradient_async.cli.prompt_template import split_pairs

_OTHER_WAYS = {
    "messages": "the prompt, --system and --attach make the messages",
    "model": "use --model",
    "stream": "use --stream or --no-stream",
}
"""Parameters that decide how a command works, and the options for them."""


def parse_parameters(pairs: Iterable[str]) -> dict[str, Any]:
    """Return the parameters in *pairs* such as ``name=value``.

    Raises:
        click.UsageError: A pair is not a name and a value, or names a parameter with an option of its own.
    """
    texts = split_pairs("-o", pairs)
    if taken := next((name for name in texts if name in _OTHER_WAYS), None):
        raise click.UsageError(f"-o {taken}=...: {_OTHER_WAYS[taken]}.")
    return {name: parse_value(text) for name, text in texts.items()}


def parse_value(text: str) -> Any:
    """Return the JSON value of *text*, or *text* itself if it is none."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return text


def _refuse_constant(name: str) -> NoReturn:
    """Refuse NaN and the infinities, which JSON has not: they are taken as text."""
    raise ValueError(name)
