"""Keeps LangChain from completing the arguments of a tool call that was cut off.

Contract: pure. An ending is a piece like any other of the stream, so it takes part in every addition of chunks.
Source: langchain-core 1.8, ``AIMessageChunk`` and ``parse_partial_json``.
"""

# When LangChain adds up the chunks of a stream, it closes what is open in the arguments, and takes the result for a
# whole call: `{"amount": 12`, the beginning of 1200, pays 12. It gives up, and lists the call as invalid, only at a
# bracket that closes nothing. So arguments that are no JSON at the end of the stream get such a bracket:
#
#     arguments                  ending    why
#     {"amount": 12              ]         } is due
#     {"amounts": [12            }         ] is due
#     {"path": "/srv             "]        a text is open
#     {"path": "C:\\             \\"]      an escape is open
#     {"a": 1}{"b": 2}           ]         nothing is due

from __future__ import annotations

import json

_CLOSERS = {"{": "}", "[": "]"}


def build_ending(arguments: str) -> str:
    """Return the piece that makes *arguments* invalid for LangChain; ``""`` if they are empty or whole JSON."""
    if not arguments or _is_whole(arguments):
        return ""
    due, is_text, is_escaped = [""], False, False
    for char in arguments:
        if is_text:
            is_text, is_escaped = char != '"' or is_escaped, char == "\\" and not is_escaped
        elif char == '"':
            is_text = True
        elif char in _CLOSERS:
            due.append(_CLOSERS[char])
        elif char == due[-1]:
            due.pop()
    quote = ("\\" if is_escaped else "") + '"' if is_text else ""
    return quote + ("}" if due[-1] == "]" else "]")


def _is_whole(arguments: str) -> bool:
    """Whether LangChain reads *arguments* without completing them."""
    try:
        json.loads(arguments, strict=False)
    except (ValueError, RecursionError):
        return False
    return True
