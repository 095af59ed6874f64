"""The distribution: version, links, entry points, changelog, and modules that an import loads."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points, version
from pathlib import Path

import gradient_async

ROOT = Path(__file__).parent.parent
TABLES = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT, TOOLS = TABLES["project"], TABLES["tool"]


REPOSITORY = "https://github.com/gradient-async/gradient-async"


def list_loaded_modules(statement: str) -> set[str]:
    program = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_version_is_written_in_one_place() -> None:
    assert PROJECT["dynamic"] == ["version"]
    assert version("gradient-async") == gradient_async.__version__
    written = re.compile(rf"__version__ = [\"']{re.escape(gradient_async.__version__)}[\"']")
    modules = (ROOT / "gradient_async").rglob("*.py")
    assert [p.name for p in modules if written.search(p.read_text(encoding="utf-8"))] == ["__init__.py"]


def test_importing_the_package_loads_no_command_line_and_no_server() -> None:
    unwanted = {"click", "rich", "aiohttp.web", "redis", "pytest", "gradient_async.cli", "gradient_async.testing"}
    assert list_loaded_modules("import gradient_async") & unwanted == set()


def test_importing_the_command_line_loads_no_click() -> None:
    assert list_loaded_modules("import gradient_async.cli") & {"click", "rich", "gradient_async.testing"} == set()


def test_the_pytest_plugin_loads_no_slow_module() -> None:
    assert list_loaded_modules("import gradient_async.testing.plugin") & {"aiohttp.web", "click", "rich"} == set()


def test_the_entry_points_lead_somewhere() -> None:
    (script,) = entry_points(group="console_scripts", name="gradient-async")
    (plugin,) = entry_points(group="pytest11", name="gradient_async")
    assert callable(script.load())
    assert plugin.load().gradient_session


def test_the_project_links_lead_into_the_repository() -> None:
    urls = PROJECT["urls"]
    assert list(urls) == ["Documentation", "Source", "Changelog", "Issues"]
    assert urls["Source"] == REPOSITORY
    assert urls["Issues"] == f"{REPOSITORY}/issues"
    files = [urls[name].removeprefix(f"{REPOSITORY}/blob/main/") for name in ("Documentation", "Changelog")]
    assert [file for file in files if not (ROOT / file).is_file()] == []


def run_module(*arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run ``python -m gradient_async`` in a new interpreter, after the statement *before*."""
    program = f"import runpy, sys; {before or 'pass'}; sys.argv[1:] = {list(arguments)}; "
    program += "runpy.run_module('gradient_async', run_name='__main__', alter_sys=True)"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


def test_the_package_runs_as_the_command_line() -> None:
    done = run_module("--version")
    assert (done.returncode, gradient_async.__version__ in done.stdout) == (0, True)


def test_the_package_without_the_extra_says_how_to_install_it() -> None:
    done = run_module("--version", before="sys.modules['click'] = None")
    assert done.returncode == 2
    assert "pip install 'gradient-async[cli]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_source_distribution_holds_what_its_tests_and_pages_read() -> None:
    included = TOOLS["hatch"]["build"]["targets"]["sdist"]["include"]
    assert {"/benchmarks", "/docs", "/examples", "/tests", "/Makefile"} <= set(included)
    assert [path for path in included if not (ROOT / path[1:]).exists()] == []


def test_a_type_checker_finds_the_types() -> None:
    assert (ROOT / "gradient_async" / "py.typed").exists()


CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_changelog_lists_versions_newest_first_below_the_unreleased_changes() -> None:
    first, *released = re.findall(r"^## \[(.+?)\](?: - (\d{4}-\d{2}-\d{2}))?$", CHANGELOG, re.MULTILINE)
    assert first == ("Unreleased", "")
    assert released == sorted(released, key=lambda entry: entry[1], reverse=True)
    assert [name for name, date in released if not date] == []


def test_the_version_is_the_newest_of_the_changelog() -> None:
    planned = re.search(r"^The next release is (.+)\.$", CHANGELOG, re.MULTILINE)
    released = re.findall(r"^## \[(\d.*?)\]", CHANGELOG, re.MULTILINE)
    assert gradient_async.__version__ == (f"{planned[1]}.dev0" if planned else released[0])


def test_an_entry_of_the_changelog_is_one_line() -> None:
    assert re.findall(r"^  +\S.*$", CHANGELOG, re.MULTILINE) == []
