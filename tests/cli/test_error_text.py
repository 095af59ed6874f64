"""What errors of the library say on the command line: options and commands, no Python."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import gradient_async
from gradient_async._io.http import attempt_timer
from gradient_async.cli.error_text import name_options
from gradient_async.errors import AuthenticationError, NotFoundError, RateLimitError
from tests.support.cli import Invoke

PACKAGE = Path(gradient_async.__file__).parent
PYTHON = re.compile(
    r"session\.|Timeouts\.|\.snapshot|\.faults|\bbase_url\b|[a-z_]=[.'{(]|[a-z]=True|await |async with|\w\(\)"
)
SHARED = [
    "_io/http/attempt_timer.py", "_io/http/error_translation.py", "_io/http/exchange.py", "_io/http/reply.py",
    "_io/stream/stream_reader.py", "_protocol/http/error_body.py", "_protocol/http/error_detection.py",
    "_protocol/stream/chat_decoder.py", "_protocol/batch/input_hints.py", "_protocol/batch/validation_report.py",
    "_protocol/batch/input_line.py", "_protocol/http/credentials.py",
]  # fmt: skip
"""Modules whose errors a command can meet, and whose texts are whole sentences."""


def find_sentences(path: Path) -> list[str]:
    """Return the texts of a module that end a sentence, with a word for each value; docstrings are left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    parts_of_others = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr | ast.JoinedStr)
        for part in ast.iter_child_nodes(node)
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = (str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)
            found.append("".join(parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts_of_others:
            found.append(node.value)
    return [text for text in found if " " in text and text.rstrip().endswith(".")]


@pytest.mark.parametrize("module", SHARED)
def test_no_error_that_a_command_can_meet_speaks_python(module: str) -> None:
    sentences = find_sentences(PACKAGE / module)
    assert sentences
    assert [text for text in map(name_options, sentences) if PYTHON.search(text)] == []


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (NotFoundError("No such model."), "gradient-async models lists the models."),
        (RateLimitError("Too many.", retry_after=12.2), "Too many. (429) Try again in 13 s, or send less."),
        (AuthenticationError("No."), "own key for an agent. gradient-async doctor names its source."),
    ],
)
def test_the_advice_of_a_status_names_commands(error: Exception, expected: str) -> None:
    assert expected in name_options(str(error))


def test_an_address_is_named_by_its_option(invoke: Invoke) -> None:
    assert "--base-url is not an address" in invoke("models", "--base-url", "foo").stderr


def test_a_time_limit_names_the_option() -> None:
    texts = vars(attempt_timer).values()
    limits = next(value for value in texts if isinstance(value, dict) and "total" in value)
    assert name_options(limits["total"]) == "The call did not end in time; give a longer --timeout."
