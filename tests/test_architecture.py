"""Rules of the code base that tools can check: import directions."""

import re
import subprocess
import sys
from pathlib import Path

import gradient_async

ROOT = Path(__file__).parent.parent


def test_imports_point_one_way() -> None:
    code = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports())"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "0 broken" in result.stdout
    assert result.returncode == 0, result.stdout


def test_the_package_lists_its_packages_and_their_sub_packages() -> None:
    found = {path.parent for path in (ROOT / "gradient_async").glob("*/**/__init__.py")}
    public = {path.name for path in found if path.parent.name != "models" and path.name != "accelerators"}
    assert public <= set(re.findall(r"\w+", gradient_async.__doc__ or ""))
