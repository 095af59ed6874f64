"""The last conversation, kept in the state folder for ``--continue``.

Contract: only the owner can read the file; it is replaced as a whole. Without a writable folder nothing is kept, and
nothing fails.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import click

from gradient_async.cli.conversation.history import Conversation, parse_conversation
from gradient_async.cli.state_folder import find_state_folder

_NAME = "conversation.json"


def save_conversation(conversation: Conversation) -> None:
    """Keep *conversation* as the last one."""
    path = find_state_folder(os.environ) / _NAME
    draft = path.with_name(f"{_NAME}.{os.getpid()}")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(draft, conversation.format_json())
        draft.replace(path)


def load_conversation() -> Conversation:
    """Return the last conversation.

    Raises:
        click.UsageError: There is none, or it cannot be read.
    """
    path = find_state_folder(os.environ) / _NAME
    try:
        return parse_conversation(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise click.UsageError("There is no conversation to continue; gradient-async chat begins one.") from None
    except (OSError, ValueError):
        raise click.UsageError(f"{path} holds no conversation that can be continued; delete it.") from None


def write_private(path: Path, text: str) -> None:
    """Write *text* to a file that only its owner can read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
