"""Every example of the README and the documentation runs; every command and link in them exists.

A page's Python blocks run in order in one namespace, which holds an open ``session`` and ``messages``; functions named
``test_...`` are called as tests. The info string ``python no-run`` compiles a block only; the README may not use it.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import shlex
import tomllib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from gradient_async import AsyncSession
from gradient_async.cli.app import COMMANDS, load_command
from gradient_async.testing import Emulator
from tests.support.pages import FENCE, PAGES, README, ROOT, Block, find_blocks, page_name

QUOTED_PROGRAM = re.compile(r'-c "[^"]*\n[^"]*"')
MAX_README_LINES = 200


def find_commands(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the position and the words of each command in a page's shell blocks."""
    for block in find_blocks(page, "sh", "bash", "console"):
        code = QUOTED_PROGRAM.sub("-c program", block.code).replace("\\\n", "")  # a line that continues is one
        for number, line in enumerate(code.splitlines(), block.line):
            for part in line.removeprefix("$ ").split(" | "):
                if words := shlex.split(part, comments=True):
                    yield f"{page_name(page)}:{number}", words


def collect_commands(program: str) -> list[Any]:
    found = [(where, words[1:]) for page in PAGES for where, words in find_commands(page) if words[0] == program]
    return [pytest.param(words, id=where) for where, words in found]


@pytest.fixture
async def gradient(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Emulator]:
    async with Emulator() as emulator:
        monkeypatch.setenv("GRADIENT_INFERENCE_ENDPOINT", emulator.url)
        monkeypatch.setenv("MODEL_ACCESS_KEY", "test")
        monkeypatch.setenv("AGENT_ENDPOINT", emulator.agent_url)
        monkeypatch.setenv("AGENT_ACCESS_KEY", "test-agent")
        yield emulator


@pytest.mark.parametrize("page", PAGES, ids=page_name)
async def test_every_python_block_runs(
    page: Path, gradient: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in find_blocks(page, "python", "py"):
        code = compile_block(block)
        if "no-run" in block.info.split():
            continue
        async with AsyncSession() as session:
            names |= {"session": session, "messages": [{"role": "user", "content": "What is the capital of Portugal?"}]}
            await run_block(code, names)
        await run_tests(names)


def compile_block(block: Block) -> Any:
    """Compile a block so that a traceback shows the page and the line."""
    padding = "\n" * (block.line - 1)
    return compile(padding + block.code, str(block.page), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)


async def run_block(code: Any, names: dict[str, Any]) -> None:
    """Run a block: in this loop if it awaits, else in a thread, where it may call `asyncio.run`."""
    if code.co_flags & inspect.CO_COROUTINE:
        await eval(code, names)
    else:
        await asyncio.to_thread(exec, code, names)


async def run_tests(names: dict[str, Any]) -> None:
    """Call each test function with its fixtures, and remove it from *names*."""
    for name in [name for name in names if name.startswith("test_")]:
        test = names.pop(name)
        async with (
            Emulator() as emulator,
            AsyncSession("test", base_url=emulator.url, agent_endpoint=emulator.agent_url) as session,
        ):
            fixtures = {"gradient_emulator": emulator, "gradient_session": session}
            await test(**{wanted: fixtures[wanted] for wanted in inspect.signature(test).parameters})


@pytest.mark.parametrize("words", collect_commands("gradient-async"))
def test_every_command_and_option_exists(words: list[str]) -> None:
    assert words[0] in COMMANDS
    command = load_command(words[0])
    for word in words[1:]:
        if isinstance(command, click.Group) and word in command.commands:
            command = command.commands[word]
    known = {option for param in command.params for option in (*param.opts, *param.secondary_opts)} | {"--help"}
    assert {word.partition("=")[0] for word in words if re.match(r"-\D", word)} <= known


@pytest.mark.parametrize("words", collect_commands("make"))
def test_every_make_target_exists(words: list[str]) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {word for word in words if "=" not in word} <= set(targets)


@pytest.mark.parametrize("words", [*collect_commands("python"), *collect_commands(".venv/bin/python")])
def test_every_script_and_test_that_is_run_exists(words: list[str]) -> None:
    paths = [word for word in words if word.startswith(("benchmarks/", "tests/"))]
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("words", collect_commands("pip"))
def test_every_extra_exists(words: list[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    package, _, extras = words[-1].rstrip("]").partition("[")
    assert package == project["name"]
    assert {extra for extra in extras.split(",") if extra} <= project["optional-dependencies"].keys()


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    targets = [target for target in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in target]
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_readme_runs_every_block_and_is_short() -> None:
    assert [block.name for block in find_blocks(README, "python") if block.info != "python"] == []
    assert len(README.read_text(encoding="utf-8").splitlines()) <= MAX_README_LINES
