"""The documentation builds without warnings, and its reference has every public name once."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from pkgutil import resolve_name
from types import ModuleType

import pytest
from pygments.lexers import get_lexer_by_name

import gradient_async
from gradient_async import GradientError, limits, testing

ROOT = Path(__file__).parent.parent
GUIDES, REFERENCE = (
    "\n".join(page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs" / folder).glob("*.md")))
    for folder in (".", "reference")
)


def test_the_documentation_is_built_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "dummy", "docs", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_block_is_in_a_language_that_can_be_highlighted() -> None:
    languages = set(re.findall(r"^```(\w+)", GUIDES + REFERENCE, re.MULTILINE))
    assert languages >= {"python", "sh"}
    for language in languages:
        get_lexer_by_name(language)  # raises for an unknown language; the build above writes nothing and does not check


@pytest.mark.parametrize("package", [gradient_async, limits, testing], ids=lambda package: package.__name__)
def test_every_public_name_is_in_the_reference_once(package: ModuleType) -> None:
    directive = rf"^\.\. (?:auto\w+|py:data):: {re.escape(package.__name__)}\.(\w+)$"
    assert Counter(re.findall(directive, REFERENCE, re.MULTILINE)) == Counter(package.__all__)


DIRECTIVE = re.compile(r"^\.\. auto(?:class|exception):: (\S+)\n((?: {3}.*\n)*)", re.MULTILINE)
EXCLUDED = re.compile(r":exclude-members: (.*(?:\n {7}.*)*)")


def list_exclusions() -> list[tuple[str, str]]:
    """Return the pairs of a class of the reference and a member that its entry leaves out."""
    entries = [(name, EXCLUDED.search(options)) for name, options in DIRECTIVE.findall(REFERENCE)]
    return [(name, member.strip()) for name, found in entries if found for member in found[1].split(",")]


@pytest.mark.parametrize(("name", "member"), list_exclusions())
def test_a_member_that_the_reference_leaves_out_exists(name: str, member: str) -> None:
    cls = resolve_name(name)
    assert hasattr(cls, member) or any(member in vars(base).get("__annotations__", {}) for base in cls.__mro__)


def test_every_error_is_in_the_troubleshooting_page() -> None:
    page = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
    public = [getattr(gradient_async, name) for name in gradient_async.__all__]
    errors = {each.__name__ for each in public if isinstance(each, type) and issubclass(each, GradientError)}
    assert errors - set(re.findall(r"`(\w+)`", page)) == set()
