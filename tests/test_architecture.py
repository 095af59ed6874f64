"""The house rules that tools can check."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)


def test_imports_point_one_way() -> None:
    code = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports())"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "0 broken" in result.stdout
    assert result.returncode == 0, result.stdout


def test_correct_use_type_checks() -> None:
    result = run("mypy", "--strict", "tests/typing/correct.py")
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("line", (ROOT / "tests/typing/mistakes.txt").read_text().splitlines())
def test_a_mistake_is_caught_by_the_type_checker(line: str, tmp_path: Path) -> None:
    call, _, expected = line.partition("  # ")
    program = tmp_path / "mistake.py"
    program.write_text(
        "from gradient_async import AsyncSession\n"
        "async def use(s: AsyncSession) -> None:\n"
        f"    {call}\n"
    )  # fmt: skip
    result = run("mypy", "--strict", str(program))
    assert result.returncode == 1
    assert expected in result.stdout
