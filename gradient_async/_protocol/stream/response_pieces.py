"""The places in a response that the ``.delta`` and ``.done`` events of its stream are about.

The type of such an event names the place. For parts of a message or a reasoning the names are listed; the name of a
field of a call is the type of the call and the field, so that calls invented later are covered:

    response.output_text.delta               ``text`` of an ``output_text`` in the content of a ``message``
    response.reasoning_summary_text.delta    ``text`` of a ``summary_text`` in the summary of a ``reasoning``
    response.mcp_call_arguments.delta        ``arguments`` of an ``mcp_call``
    response.shell_call_command.delta        ``command`` of a ``shell_call``

Source: streaming events of OpenAI's responses API; the variants with dots are older names of the same events.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Piece(NamedTuple):
    """The place of a piece.

    Attributes:
        item_type: The type of the output item, for an item that was not announced.
        field: The field of the item, or of its part.
        part_type: The type of the part, for a part that was not announced; None for a field of the item itself.
        is_in_summary: Whether the part belongs to the summary of the item, not to its content.
    """

    item_type: str
    field: str
    part_type: str | None = None
    is_in_summary: bool = False


_REASONING = Piece("reasoning", "text", "reasoning_text")
_SUMMARY = Piece("reasoning", "text", "summary_text", is_in_summary=True)
_AUDIO = Piece("message", "data", "output_audio")
_TRANSCRIPT = Piece("message", "transcript", "output_audio")
_DOCUMENTED = {
    "output_text": Piece("message", "text", "output_text"),
    "refusal": Piece("message", "refusal", "refusal"),
    "reasoning_text": _REASONING,
    "reasoning_summary_text": _SUMMARY,
    "function_call_arguments": Piece("function_call", "arguments"),
    "mcp_call_arguments": Piece("mcp_call", "arguments"),
    "custom_tool_call_input": Piece("custom_tool_call", "input"),
    "code_interpreter_call_code": Piece("code_interpreter_call", "code"),
}
_OTHERS = {
    "reasoning": _REASONING,
    "reasoning_summary": _SUMMARY,
    "audio": _AUDIO,
    "output_audio": _AUDIO,
    "audio.transcript": _TRANSCRIPT,
    "audio_transcript": _TRANSCRIPT,
    "output_audio_transcript": _TRANSCRIPT,
}
_CALL_FIELD = re.compile(r"(\w+_call)[._](\w+)")

DELTA_PIECES = {f"response.{name}.delta": piece for name, piece in _DOCUMENTED.items()}
"""The places of the documented ``.delta`` events by their types."""
DONE_PIECES = {f"response.{name}.done": piece for name, piece in _DOCUMENTED.items()}
"""The places of the documented ``.done`` events by their types."""


def find_piece(event_type: str) -> Piece | None:
    """Return the place that an event of any type is about; None if its type names none."""
    name, _, ending = event_type.removeprefix("response.").rpartition(".")
    if ending not in ("delta", "done"):
        return None
    if piece := _DOCUMENTED.get(name) or _OTHERS.get(name):
        return piece
    match = _CALL_FIELD.fullmatch(name)
    return Piece(match[1], match[2]) if match else None
