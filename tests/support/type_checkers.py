"""Runs of mypy and pyright over files, each in one process: a start takes seconds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import attrs

from tests.support.pages import ROOT


@attrs.frozen
class TypeFault:
    """What a type checker says about one line of a file; *rule* is its own name for faults of the kind."""

    file: str
    line: int
    rule: str
    message: str


def run_mypy(folder: Path) -> list[TypeFault]:
    """Check the files in *folder* with the settings of this project, and so with the cache of its other runs."""
    command = [sys.executable, "-m", "mypy", "--output", "json", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    faults = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return [
        TypeFault(Path(fault["file"]).name, fault["line"], fault["code"], f"{fault['message']}\n{fault['hint'] or ''}")
        for fault in faults
        if fault["severity"] == "error"
    ]


def run_pyright(folder: Path) -> list[TypeFault]:
    """Check the files in *folder* as an editor does that has no settings."""
    settings = {"include": ["."], "extraPaths": [str(ROOT)]}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return [
        TypeFault(
            Path(fault["file"]).name, fault["range"]["start"]["line"] + 1, fault.get("rule", ""), fault["message"]
        )
        for fault in json.loads(done.stdout)["generalDiagnostics"]
        if fault["severity"] == "error"
    ]
