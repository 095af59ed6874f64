"""Reads a text, sends it with the messages before it, and prints the response, until the person leaves.

Contract: Ctrl-C stops a response and keeps what was printed of it; a refused request ends only itself. Ctrl-D ends the
conversation.

The event loop runs only while a response comes: between two requests the process waits for the keyboard. So an idle
connection may be closed meanwhile, which the session notices before it uses one.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import attrs
import click

from gradient_async import ChatCompletion
from gradient_async.cli.attachments import Attachment, Content, build_content
from gradient_async.cli.chat_output import ChatOptions, print_notes, print_stream
from gradient_async.cli.conversation.history import Conversation, Message
from gradient_async.cli.error_text import name_options
from gradient_async.cli.terminal import print_line, remove_controls
from gradient_async.errors import GradientError
from gradient_async.resources.chat.agent import AgentChatCompletions
from gradient_async.resources.chat.completions import ChatCompletions

HINT = "Ctrl-D or /exit ends the conversation."


@attrs.define(eq=False, kw_only=True)
class ConversationLoop:
    """A conversation with its input and output.

    Attributes:
        conversation: The messages so far.
        completions: Where requests go.
        runner: Runs a request; Ctrl-C cancels it.
        read: Returns the next text; raises EOFError at the end.
        options: Parameters of every request, and the form of the output.
        keep: Called after each response with the conversation.
        attachments: The files for the next text.
    """

    conversation: Conversation
    completions: ChatCompletions | AgentChatCompletions
    runner: asyncio.Runner
    read: Callable[[], str]
    options: ChatOptions
    keep: Callable[[Conversation], None]
    attachments: list[Attachment] = attrs.field(factory=list)

    def run_loop(self, run_command: Callable[[ConversationLoop, str], bool]) -> None:
        """Converse until the input ends or *run_command*, which runs the lines that begin with ``/``, returns False."""
        while True:
            try:
                text = self.read()
            except EOFError:
                click.echo()
                return
            except KeyboardInterrupt:
                click.echo()
                print_note(HINT)
                continue
            if text.startswith("/"):
                if not run_command(self, text):
                    return
            elif text.strip():
                self.ask(build_content(text.strip(), self.attachments))
                self.attachments = []

    def ask(self, question: Content, messages: list[Message] | None = None) -> None:
        """Send *question* after *messages*, by default all so far, and print the response."""
        answer = self._print_answer(self.conversation.build_messages(question, messages))
        self.conversation.add_exchange(question, answer, messages)
        if answer:
            self.keep(self.conversation)

    def _print_answer(self, messages: list[Message]) -> str:
        """Print the response to *messages* and return its text; after a failure, the part of it that came."""
        params: dict[str, Any] = {**self.options.params, "model": self.conversation.model, "messages": messages}
        options = attrs.evolve(self.options, params=params)
        try:
            if not options.stream:
                return self._print_whole(options)
            stream = self.completions.stream(**options.stream_params)
        except GradientError as error:
            print_failure(error)
            return ""
        try:
            completion = self.runner.run(print_stream(stream, options))
            print_notes(completion, stats=options.stats)
        except GradientError as error:
            print_failure(error)
        except KeyboardInterrupt:
            print_note("Stopped.")
        return stream.snapshot.text

    def _print_whole(self, options: ChatOptions) -> str:
        try:
            completion: ChatCompletion = self.runner.run(self.completions.create(**options.params))
        except KeyboardInterrupt:
            print_note("Stopped.")
            return ""
        print_line(completion.text)
        print_notes(completion, stats=options.stats)
        return completion.text


def print_failure(error: GradientError) -> None:
    """Print an error in the words of the command line, and the way on."""
    print_note(f"{name_options(str(error))} /retry sends it again.")


def print_note(text: str) -> None:
    """Print a line beside the conversation, on stderr."""
    click.echo(remove_controls(text, sys.stderr), err=True)
