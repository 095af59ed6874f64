"""The library's advice in the words of the command line: options instead of Python arguments.

Contract: pure.
"""

from __future__ import annotations

import re

_OPTIONS = {
    "Pass split=True for several jobs, or other limits.": "Pass --split for several jobs.",
    "Pass api_key=... or set one of": "Set one of",
    "pass another journal for another job": "pass another --journal for another job",
    "chat.completions.map": "gradient-async map",
    "params={'model': ...}": "--model MODEL",
    "template= or columns=": "--template or --columns",
    "Give a template or columns.": "Give --template or --columns.",
    "model must name a model, as 'llama3.3-70b-instruct'; session.models.list() gives all.": (
        "--model must name a model; gradient-async models gives all."
    ),
}
_ARGUMENT = re.compile("pass (provider|endpoint)='([^']+)'")


def name_options(text: str) -> str:
    """Return *text* with the names of options in the place of Python arguments."""
    for argument, option in _OPTIONS.items():
        text = text.replace(argument, option)
    return _ARGUMENT.sub(r"pass --\1 \2", text)
