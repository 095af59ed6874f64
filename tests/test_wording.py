"""The vocabulary of the package: docstrings that say what a thing is, and function names that say what is done.

Each limit is the worst value among model code bases, measured on 2026-11-29: h11, httpcore, urllib3, s3transfer, trio
and others like them. Failures list the offenders.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).parent.parent / "gradient_async"
Function = ast.FunctionDef | ast.AsyncFunctionDef

MAX_RIDDLES = 0.01
"""Share of docstrings whose first line uses what, who or whose: it describes the thing by a question."""
MAX_PARTICIPLES = 0.025
"""Share of function names that are a bare participle, such as ``mended``: neither the action nor the thing."""
MIN_WORDS = 2.0
"""Mean number of words in a function name."""
MAX_HOMONYMS = 20
"""Number of function names that are defined in `HOMONYM_FILES` or more files."""
HOMONYM_FILES = 4

RIDDLE = re.compile(r"\b(?:what|who|whose)(?:ever)?\b", re.IGNORECASE)
PARTICIPLE = re.compile(r"_?[a-z]+(?:ed|en|wn|ept|aid|ght)")
VERBS = {"embed", "feed", "flatten", "listen", "need", "open", "seed", "shorten"}
"""Verbs and adverbs that look like participles."""
ATTRIBUTES = {"property", "cached_property", "overload"}
"""Decorators of functions that are not called by their name, or are declared several times."""


class Definition(NamedTuple):
    """A class or function of the package."""

    place: str
    node: Function | ast.ClassDef

    def __str__(self) -> str:
        return f"{self.place}:{self.node.lineno} {self.node.name}"


def find_definitions() -> Iterator[Definition]:
    for path in sorted(PACKAGE.rglob("*.py")):
        place = str(path.relative_to(PACKAGE.parent))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, Function | ast.ClassDef):
                yield Definition(place, node)


def is_named_action(node: ast.AST) -> bool:
    """Whether *node* is a function that is called by its name: neither special nor read as an attribute."""
    if not isinstance(node, Function) or node.name.startswith("__"):
        return False
    names = {name.id if isinstance(name, ast.Name) else getattr(name, "attr", "") for name in node.decorator_list}
    return not names & ATTRIBUTES


DEFINITIONS = list(find_definitions())
FUNCTIONS = [definition for definition in DEFINITIONS if is_named_action(definition.node)]
PLACES: defaultdict[str, set[str]] = defaultdict(set)
for function in FUNCTIONS:
    PLACES[function.node.name].add(function.place)


def list_lines(offenders: list[str]) -> str:
    return "\n".join(["", *offenders])


def test_docstrings_do_not_begin_with_a_question() -> None:
    first_lines = [
        (each, text.strip().splitlines()[0]) for each in DEFINITIONS if (text := ast.get_docstring(each.node))
    ]
    riddles = [f"{definition}: {line}" for definition, line in first_lines if RIDDLE.search(line)]
    assert len(riddles) <= MAX_RIDDLES * len(first_lines), list_lines(riddles)


def test_functions_are_not_named_by_a_participle() -> None:
    named = {name for name in PLACES if PARTICIPLE.fullmatch(name) and name.removeprefix("_") not in VERBS}
    offenders = [str(function) for function in FUNCTIONS if function.node.name in named]
    assert len(named) <= MAX_PARTICIPLES * len(PLACES), list_lines(offenders)


def test_function_names_have_two_words_on_average() -> None:
    counts = {name: len([word for word in name.split("_") if word]) for name in PLACES}
    short = sorted(f"{name}: {', '.join(sorted(PLACES[name]))}" for name, count in counts.items() if count == 1)
    assert sum(counts.values()) >= MIN_WORDS * len(counts), list_lines(short)


def test_few_function_names_are_defined_in_many_files() -> None:
    shared = {name: sorted(places) for name, places in PLACES.items() if len(places) >= HOMONYM_FILES}
    lines = [f"{name} in {len(places)} files: {', '.join(places)}" for name, places in sorted(shared.items())]
    assert len(shared) <= MAX_HOMONYMS, list_lines(lines)
