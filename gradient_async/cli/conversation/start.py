"""Opens a conversation: the session, the history of typed lines, and the end of both."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from functools import partial

from gradient_async.cli.attachments import Attachment
from gradient_async.cli.chat_options import open_completions
from gradient_async.cli.chat_output import ChatOptions
from gradient_async.cli.conversation.commands import SlashCommands
from gradient_async.cli.conversation.history import Conversation
from gradient_async.cli.conversation.line_input import load_line_history, read_text
from gradient_async.cli.conversation.loop import HINT, ConversationLoop, print_note
from gradient_async.cli.conversation.saved import save_conversation
from gradient_async.cli.state_folder import find_state_folder
from gradient_async.cli.wait_notes import WaitNotes


def converse(
    conversation: Conversation, options: ChatOptions, attachments: list[Attachment], *, remember: bool
) -> None:
    """Converse in the terminal until the person leaves; with *remember*, keep the conversation and the typed lines."""
    save_lines = load_line_history(find_state_folder(os.environ) / "chat_lines" if remember else None)
    try:
        with asyncio.Runner() as runner:
            _open_and_run(runner, conversation, options, attachments, remember=remember)
    finally:
        save_lines()


def _open_and_run(
    runner: asyncio.Runner,
    conversation: Conversation,
    options: ChatOptions,
    attachments: list[Attachment],
    *,
    remember: bool,
) -> None:
    stack = AsyncExitStack()
    opening = open_completions(options.base_url, agent=options.agent, hooks=[WaitNotes()])
    completions = runner.run(stack.enter_async_context(opening))
    completions._target()  # raises at once if there is no key
    if count := len(conversation.messages):
        print_note(f"Continuing after {count} messages.")
    print_note(f"{conversation.model or 'The agent'} listens. /help lists the commands. {HINT}")
    loop = ConversationLoop(
        conversation=conversation,
        completions=completions,
        runner=runner,
        read=partial(read_text, input),
        options=options,
        keep=save_conversation if remember else lambda _: None,
        attachments=attachments,
    )
    try:
        loop.run_loop(SlashCommands())
    finally:
        runner.run(stack.aclose())
