"""``make test-all``: run the suite with every interpreter found, the lowest versions, pre-releases and other loops.

Each combination has an environment of its own below ``.venv-matrix``, made by uv, which pip installs there. Needs
nothing but the standard library, so that the interpreter that runs it needs no environment.

    python -m tests.matrix [--list] [--workers N] [NAME ...] [-- PYTEST_ARGUMENT ...]

``NAME`` selects combinations and may have wildcards: ``3.12``, ``'*-lowest'``. The exit status is 1 if a combination
failed, 2 if none is called so.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.matrix.combinations import (
    FOLDER,
    ROOT,
    VERSIONS,
    Combination,
    Interpreter,
    Outcome,
    build_combinations,
    choose_interpreters,
    format_summary,
    read_report,
    select_combinations,
)

QUERY = (
    "import json, platform, sys, sysconfig; print(json.dumps([*sys.version_info[:2], "
    "bool(sysconfig.get_config_var('Py_GIL_DISABLED')), platform.python_version(), sys.executable]))"
)


def find_interpreters() -> list[Interpreter]:
    """Find the interpreters on the path, of pyenv and of uv."""
    names = [f"python{major}.{minor}{kind}" for major, minor in VERSIONS for kind in ("", "t")]
    homes = [Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"]
    homes.append(Path(os.environ.get("UV_PYTHON_INSTALL_DIR", Path.home() / ".local/share/uv/python")))
    paths = [sys.executable, *filter(None, map(shutil.which, names))]
    paths += [str(path) for home in homes for path in sorted(home.glob("*/bin/python3"))]
    return choose_interpreters(filter(None, map(query_interpreter, paths)))


def query_interpreter(path: str) -> Interpreter | None:
    """Ask the executable *path* for its version; None if it does not run, as a shim without a version."""
    done = subprocess.run([path, "-c", QUERY], capture_output=True, text=True, check=False)
    if done.returncode:
        return None
    major, minor, free_threaded, full_version, executable = json.loads(done.stdout)
    return Interpreter((major, minor), free_threaded, full_version, executable)


def find_uv() -> str:
    """Return uv's executable; pip installs it into an environment beside the others if the path has none."""
    if found := shutil.which("uv"):
        return found
    home = FOLDER / "uv"
    if not (home / "bin/uv").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        pip = [str(home / "bin/python"), "-m", "pip", "--disable-pip-version-check", "--quiet"]
        subprocess.run([*pip, "install", "uv"], check=True)
    return str(home / "bin/uv")


def make_environment(uv: str, combination: Combination) -> str:
    """Make or update the environment of *combination*, and return its version of aiohttp.

    Raises:
        CalledProcessError: A package cannot be had, or not built.
    """
    python = str(combination.folder / "bin/python")
    if not Path(python).exists():
        command = [uv, "venv", "--quiet", "--python", combination.interpreter.path, str(combination.folder)]
        subprocess.run(command, check=True, capture_output=True, text=True)
    wanted = ["--editable", f"{ROOT}[dev]", *combination.packages]
    command = [uv, "pip", "install", "--quiet", "--python", python, *combination.resolution, *wanted]
    subprocess.run(command, check=True, capture_output=True, text=True)
    command = [python, "-c", "import aiohttp; print(aiohttp.__version__)"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def run_combination(uv: str, combination: Combination, workers: str, arguments: Sequence[str]) -> Outcome:
    """Run the tests of *combination* in its environment."""
    interpreter = combination.interpreter
    outcome = Outcome(combination.name, interpreter.full_version)
    try:
        aiohttp = make_environment(uv, combination)
    except subprocess.CalledProcessError as error:
        print(error.stderr, file=sys.stderr)
        return Outcome(outcome.name, outcome.python, problem="the environment cannot be made")
    report = combination.folder / "report.xml"
    report.unlink(missing_ok=True)
    pytest = [str(combination.folder / "bin/python"), "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short"]
    split = ["--numprocesses", workers, "--maxprocesses", "4", "--dist", "loadfile"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | ({"PYTHON_GIL": "0"} if interpreter.free_threaded else {})
    began = time.monotonic()
    command = [*pytest, *split, f"--junitxml={report}", *combination.options, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False)
    seconds = time.monotonic() - began
    if not report.exists():
        return Outcome(outcome.name, outcome.python, aiohttp, seconds=seconds, problem="pytest did not run")
    numbers = read_report(report.read_text(encoding="utf-8"))
    problem = f"pytest's exit status is {done.returncode}" if done.returncode > 1 else ""
    return Outcome(outcome.name, outcome.python, aiohttp, *numbers[:3], seconds, problem, numbers[3])


def parse_arguments(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Return the options of this program, and after ``--`` those of pytest."""
    own = list(arguments)
    rest: list[str] = []
    if "--" in own:
        rest = own[own.index("--") + 1 :]
        own = own[: own.index("--")]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these combinations")
    parser.add_argument("--list", action="store_true", help="print the combinations and run nothing")
    parser.add_argument("--workers", default="auto", help="processes of pytest, at most 4 (default: one a processor)")
    return parser.parse_args(own), rest


def main(arguments: Sequence[str]) -> int:
    """Run the combinations that the command line names, print the summary, and return the exit status."""
    options, rest = parse_arguments(arguments)
    combinations = select_combinations(build_combinations(find_interpreters()), options.names)
    if options.list or not combinations:
        print("\n".join(f"{each.name:<16} {each.interpreter.path}" for each in combinations) or "No such combination.")
        return 0 if combinations else 2
    uv = find_uv()
    outcomes = []
    for each in combinations:
        print(f"== {each.name}", flush=True)
        outcomes.append(run_combination(uv, each, options.workers, rest))
    print("\n".join(format_summary(outcomes)))
    return int(not all(each.is_green for each in outcomes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
