"""Type checkers accept the examples of the documentation and correct use, and catch mistakes: mypy and pyright alike."""

from __future__ import annotations

import ast
import importlib.util
import shutil
import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.pages import PAGES, ROOT, Block, find_blocks, page_name
from tests.support.type_checkers import TypeFault, run_mypy, run_pyright

CHECKERS = ("mypy", "pyright")
LENIENCE = (
    "# mypy: allow-untyped-defs, allow-untyped-calls, allow-incomplete-defs, allow-untyped-decorators, "
    'allow-redefinition, disable-error-code="import-not-found, import-untyped"\n'
)
"""Examples need no annotations, may use a name again, and import libraries that are not installed here."""
EXAMPLE = """
from gradient_async import AsyncSession

async def page(session: AsyncSession, messages: list[dict[str, str]]) -> None:
"""
MISTAKES = [line.split("  # ") for line in (ROOT / "tests/typing/mistakes.txt").read_text().splitlines()]
"""A use, and what mypy and pyright say of it."""
Faults = Mapping[str, list[TypeFault]]


@pytest.fixture(scope="module", params=CHECKERS)
def checker(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    pytest.importorskip(name, reason=f"{name} is not installed: pip install 'gradient-async[dev]'")
    return name


@pytest.fixture(scope="module")
def faults(checker: str, tmp_path_factory: pytest.TempPathFactory) -> Faults:
    """The faults of every file, from one run, because a start takes seconds."""
    folder = tmp_path_factory.mktemp("typing")
    for page in PAGES:
        blocks = find_blocks(page, "python", "py")
        if checker == "pyright":  # takes the decorators of an unknown library for none
            blocks = [block for block in blocks if is_installed(block)]
        code = "\n".join(["pass", *map(write_example, blocks)])
        (folder / module_name(page)).write_text(LENIENCE + EXAMPLE + textwrap.indent(code, "    "))
    functions = [f"async def use{number}(s: AsyncSession) -> None: {row[0]}\n" for number, row in enumerate(MISTAKES)]
    (folder / "mistakes.py").write_text("from gradient_async import AsyncSession\n" + "".join(functions))
    shutil.copy(ROOT / "tests/typing/correct.py", folder)
    found = run_mypy(folder) if checker == "mypy" else run_pyright(folder)
    files = [path.name for path in folder.glob("*.py")]
    return {file: [fault for fault in found if fault.file == file] for file in files}


def write_example(block: Block) -> str:
    """Return the code of *block*: those that do not run are programs of their own, with names of their own."""
    if "no-run" not in block.info.split():
        return block.code
    return f"async def program_{block.line}() -> None:\n" + textwrap.indent(block.code, "    ")


def is_installed(block: Block) -> bool:
    """Whether each library that *block* imports is there."""
    nodes = list(ast.walk(ast.parse(block.code)))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    specs = [importlib.util.find_spec(name.partition(".")[0]) for name in names]
    return all(spec is not None and spec.origin is not None for spec in specs)  # without origin: parts of a namespace


def module_name(page: Path) -> str:
    return "_".join(page.relative_to(ROOT).with_suffix(".py").parts)


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_python_block_type_checks(page: Path, faults: Faults) -> None:
    assert faults[module_name(page)] == []


def test_correct_use_type_checks(faults: Faults) -> None:
    assert faults["correct.py"] == []


@pytest.mark.parametrize("number", range(len(MISTAKES)), ids=[row[0] for row in MISTAKES])
def test_a_mistake_is_caught(number: int, checker: str, faults: Faults) -> None:
    messages = [fault.message for fault in faults["mistakes.py"] if fault.line == number + 2]
    assert MISTAKES[number][1 + CHECKERS.index(checker)] in "\n".join(messages)
    assert messages
