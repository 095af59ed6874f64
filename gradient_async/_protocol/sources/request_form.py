"""How each API carries the messages of a text or of a template.

Contract: pure. A text becomes the message of a user; a template may have instructions and earlier turns as well.

    API           the messages become
    chat          messages
    messages      system and messages
    responses     input; the text of a single message of the user is the input itself
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

Messages = list[Mapping[str, Any]]

_INSTRUCTIONS = ("system", "developer")


@attrs.frozen
class RequestForm:
    """The form of the requests of one API.

    Attributes:
        field: The parameter that a request with content of its own has.
        compose: Returns the parameters that carry messages.
    """

    field: str
    compose: Callable[[Messages], Mapping[str, Any]]


def _compose_chat(messages: Messages) -> Mapping[str, Any]:
    return {"messages": messages}


def _compose_message(messages: Messages) -> Mapping[str, Any]:
    """Return the instructions of *messages* as ``system``, where the messages API has them."""
    system = [each["content"] for each in messages if each["role"] in _INSTRUCTIONS]
    turns = [each for each in messages if each["role"] not in _INSTRUCTIONS]
    if len(system) < 2:
        return {"messages": turns, **({"system": system[0]} if system else {})}
    blocks = [[{"type": "text", "text": each}] if isinstance(each, str) else each for each in system]
    return {"messages": turns, "system": [block for each in blocks for block in each]}


def _compose_input(messages: Messages) -> Mapping[str, Any]:
    is_text = len(messages) == 1 and messages[0]["role"] == "user"
    return {"input": messages[0]["content"] if is_text else messages}


CHAT_FORM = RequestForm("messages", _compose_chat)
MESSAGES_FORM = RequestForm("messages", _compose_message)
INPUT_FORM = RequestForm("input", _compose_input)
"""The form of responses, and of embeddings."""
