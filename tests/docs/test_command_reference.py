"""The reference of the commands: made of click's own commands, complete, with examples kept line by line."""

from __future__ import annotations

import click
import pytest
from command_reference import PROGRAM, describe_command, describe_help, list_commands
from docutils import nodes

from gradient_async.cli.app import COMMANDS

SECTIONS = {words: (command, describe_command(words, command)) for words, command in list_commands()}


def test_every_command_has_a_section() -> None:
    groups = {"batch"}
    assert {words[0] for words in SECTIONS} == set(COMMANDS)
    assert {words[0] for words in SECTIONS if len(words) > 1} == groups


@pytest.mark.parametrize("words", SECTIONS, ids=" ".join)
def test_a_section_has_usage_text_and_every_option(words: tuple[str, ...]) -> None:
    command, section = SECTIONS[words]
    usage = next(section.findall(nodes.literal_block)).astext()
    assert usage.startswith(" ".join((PROGRAM, *words)))
    assert len(list(section.findall(nodes.paragraph))) > 1
    terms = {word.strip(",") for term in section.findall(nodes.term) for word in term.astext().split()}
    visible = [each for each in command.params if isinstance(each, click.Option) and not each.hidden]
    assert {name for option in visible for name in option.opts} <= terms


def test_an_example_in_a_help_text_keeps_its_lines() -> None:
    paragraph, example = describe_help("Wrapped\nprose.\n\n\b\n  one\n    two\n")
    assert (type(paragraph), paragraph.astext()) == (nodes.paragraph, "Wrapped prose.")
    assert (type(example), example.astext()) == (nodes.literal_block, "one\n  two")
