r"""The directive ``{commands}``: every command of ``gradient-async``, with its arguments, options and help.

Contract: everything is read from the click commands themselves, so a new option is on the page without a line here.
Nothing is run. A paragraph of a help text that begins with click's ``\b`` keeps its lines and is shown as code.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from gradient_async.cli.app import COMMANDS, load_command

PROGRAM = "gradient-async"
_VERBATIM = "\b"


def list_commands() -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield the words and the command of each command, those of a group after the group."""
    for name in sorted(COMMANDS):
        command = load_command(name)
        yield (name,), command
        if isinstance(command, click.Group):
            yield from (((name, each), command.commands[each]) for each in sorted(command.commands))


def describe_command(words: tuple[str, ...], command: click.Command) -> nodes.section:
    """Return the section of one command: usage, help, options."""
    context = click.Context(command, info_name=" ".join((PROGRAM, *words)))
    section = nodes.section(ids=["-".join(words)])
    section += nodes.title("", "", nodes.literal("", " ".join(words)))
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    section += nodes.literal_block(usage, usage, language="sh")
    section += describe_help(command.help or "")
    options = [record for each in command.get_params(context) if (record := each.get_help_record(context))]
    section += nodes.definition_list("", *[describe_option(*record) for record in options])
    return section


def describe_help(text: str) -> list[nodes.Node]:
    """Return the paragraphs of a help text."""
    paragraphs = [part.strip("\n") for part in inspect.cleandoc(text).split("\n\n")]
    return [_describe_paragraph(part) for part in paragraphs if part]


def _describe_paragraph(text: str) -> nodes.Node:
    if text.startswith(_VERBATIM):
        code = inspect.cleandoc(text.removeprefix(_VERBATIM))
        return nodes.literal_block(code, code, language="sh")
    return nodes.paragraph("", " ".join(text.split()))


def describe_option(names: str, text: str) -> nodes.definition_list_item:
    """Return the entry of one option."""
    term, definition = nodes.term("", "", nodes.literal("", names)), nodes.definition("", nodes.paragraph("", text))
    return nodes.definition_list_item("", term, definition)


class CommandsDirective(SphinxDirective):
    """Shows the reference of all commands."""

    def run(self) -> list[nodes.Node]:
        """Return one section for each command, and note that the page depends on their code."""
        sections = [describe_command(words, command) for words, command in list_commands()]
        for section in sections:
            self.state.document.note_explicit_target(section)
        self.env.note_reread()  # the commands' modules are code, which Sphinx does not watch
        return list(sections)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("commands", CommandsDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
