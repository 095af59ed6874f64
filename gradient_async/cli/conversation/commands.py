"""The lines of a conversation that begin with ``/``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs
import click

from gradient_async.cli.attachments import read_attachment
from gradient_async.cli.conversation.loop import ConversationLoop, print_note

HELP = '''\
/attach FILE    send an image or a text file with the next message
/clear          forget the messages; model and instructions stay
/exit           end the conversation, as Ctrl-D does
/model NAME     use another model; without NAME, show it
/retry          send the last message again, and replace its response
/save FILE      write the conversation: JSON if FILE ends with .json, else Markdown
/system TEXT    change the system instructions; - removes them; without TEXT, show them
"""             begin and end a text of several lines; a \\ at the end of a line goes on too
Ctrl-C          stop a response and keep what came of it
A line that begins with a space is never a command.'''


@attrs.define(eq=False)
class SlashCommands:
    """Runs the commands of a conversation; remembers the files that it has written."""

    _saved: set[Path] = attrs.field(factory=set, init=False)

    def __call__(self, loop: ConversationLoop, line: str) -> bool:
        """Run the command *line*; return False if the conversation ends."""
        name, _, argument = line.partition(" ")
        if name in ("/exit", "/quit"):
            return False
        run: Callable[[ConversationLoop, str], None] | None = {
            "/attach": _attach_file,
            "/clear": _clear_messages,
            "/help": _print_help,
            "/model": _change_model,
            "/retry": _retry_question,
            "/save": self._save_file,
            "/system": _change_system,
        }.get(name)
        if run is None:
            print_note(f"There is no command {name}; /help lists them. A space before it makes it a message.")
            return True
        try:
            run(loop, argument.strip())
        except click.UsageError as error:
            print_note(error.message)
        except OSError as error:
            print_note(f"{error.filename or name}: {error.strerror or error}.")
        return True

    def _save_file(self, loop: ConversationLoop, argument: str) -> None:
        path = _expand_path(argument, "/save FILE")
        if path.exists() and path.absolute() not in self._saved:
            raise click.UsageError(f"{path} exists; give another name.")
        conversation = loop.conversation
        text = conversation.format_json() + "\n" if path.suffix == ".json" else conversation.format_markdown()
        path.write_text(text, encoding="utf-8", errors="replace")
        self._saved.add(path.absolute())
        print_note(f"Saved in {path}.")


def _attach_file(loop: ConversationLoop, argument: str) -> None:
    path = _expand_path(argument, "/attach FILE")
    loop.attachments.append(read_attachment(path))
    print_note(f"{path} goes with the next message.")


def _clear_messages(loop: ConversationLoop, _: str) -> None:
    loop.conversation.clear_messages()
    loop.attachments.clear()
    print_note("The messages are forgotten.")


def _print_help(_loop: ConversationLoop, _: str) -> None:
    print_note(HELP)


def _change_model(loop: ConversationLoop, argument: str) -> None:
    loop.conversation.model = argument or loop.conversation.model
    print_note(f"Model: {loop.conversation.model or 'that of the agent'}")


def _retry_question(loop: ConversationLoop, _: str) -> None:
    found = loop.conversation.find_last_question()
    if found is None:
        raise click.UsageError("There is no message to send again.")
    loop.ask(*found)


def _change_system(loop: ConversationLoop, argument: str) -> None:
    if argument:
        loop.conversation.system = None if argument == "-" else argument
    print_note(f"System instructions: {loop.conversation.system or 'none'}")


def _expand_path(argument: str, usage: str) -> Path:
    if not argument:
        raise click.UsageError(f"Name a file: {usage}.")
    return Path(argument).expanduser()
