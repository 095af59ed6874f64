"""Rules of the code base that tools can check: import directions, and type errors for misuse."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def run_tool(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)


def test_imports_point_one_way() -> None:
    code = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports())"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "0 broken" in result.stdout
    assert result.returncode == 0, result.stdout


def test_correct_use_type_checks() -> None:
    result = run_tool("mypy", "--strict", "tests/typing/correct.py")
    assert result.returncode == 0, result.stdout


MISTAKES = (ROOT / "tests/typing/mistakes.txt").read_text().splitlines()


@pytest.fixture(scope="module")
def messages(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The type checker's messages for each mistake, from one run because each start takes a second."""
    program = tmp_path_factory.mktemp("typing") / "mistakes.py"
    calls = [line.partition("  # ")[0] for line in MISTAKES]
    functions = [f"async def use{number}(s: AsyncSession) -> None: {call}\n" for number, call in enumerate(calls)]
    program.write_text("from gradient_async import AsyncSession\n" + "".join(functions))
    result = run_tool("mypy", "--strict", str(program))
    assert result.returncode == 1
    found_messages = [""] * len(calls)
    for found in re.finditer(r"mistakes\.py:(\d+): (.*)", result.stdout):
        found_messages[int(found[1]) - 2] += found[2] + "\n"
    return found_messages


@pytest.mark.parametrize("number", range(len(MISTAKES)), ids=MISTAKES)
def test_a_mistake_is_caught_by_the_type_checker(number: int, messages: list[str]) -> None:
    assert MISTAKES[number].partition("  # ")[2] in messages[number]
    assert "error:" in messages[number]
