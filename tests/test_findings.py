"""The scripts of surprising behaviour elsewhere: they parse, state what they install, and are in the index.

They are not run here: they need a network.
"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "findings"
SCRIPTS = sorted(FOLDER.glob("*.sh"))
PACKAGE = re.compile(r"^run_(?:python|node) (?P<packages>.+) <<'(?:PY|JS)'$", re.MULTILINE)


def test_every_finding_is_in_the_index_once() -> None:
    rows = re.findall(r"^\| \[([\w.-]+)\]\(([\w.-]+)\)", (FOLDER / "README.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(link for _, link in rows) == [script.name for script in SCRIPTS]
    assert all(link == f"{name}.sh" for name, link in rows)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_finding_parses_and_states_its_versions(script: Path) -> None:
    text = script.read_text("utf-8")
    packages = [package.strip("'") for match in PACKAGE.finditer(text) for package in match["packages"].split()]
    assert packages
    for package in packages:
        name, version = re.split(r"==|(?<=\w)@", package, maxsplit=1)
        assert re.fullmatch(r"\d[\w.]*", version), package
        assert f"{name.partition('[')[0]}" in text.partition("Versions:")[2].partition("#\n")[0] or name == "requests"
    for program in re.findall(r"<<'PY'\n(.*?)^PY$", text, re.MULTILINE | re.DOTALL):
        compile(program, script.name, "exec")
    assert "gradient_async" not in text


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_shell_accepts_a_finding(script: Path) -> None:
    checked = subprocess.run(["bash", "-n", str(script)], capture_output=True, text=True, check=False, timeout=60)
    assert (checked.returncode, checked.stderr) == (0, "")
