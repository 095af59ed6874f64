"""The command group: the commands it lists, and the exit code of each error."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete, get_completion_class

import gradient_async
from gradient_async import errors
from gradient_async.cli.app import COMMANDS, cli, load_command
from gradient_async.cli.exit_codes import ExitCode, exit_code_for
from gradient_async.errors import GradientError
from gradient_async.testing import Emulator
from tests.support.cli import Invoke, Start
from tests.support.waiting import HANG_SECONDS


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_the_name_that_users_type(name: str) -> None:
    assert load_command(name).name == name


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str, invoke: Invoke) -> None:
    result = invoke(name, "--help")
    assert result.exit_code == 0
    assert f"gradient-async {name}" in result.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_the_summary_of_a_command_is_that_of_its_help(name: str) -> None:
    assert COMMANDS[name][1] == load_command(name).get_short_help_str(limit=80)


def test_help_loads_no_command_and_no_dependency_but_click() -> None:
    program = "import sys; from gradient_async.cli.app import cli; cli(['--help'], standalone_mode=False)"
    done = subprocess.run(
        [sys.executable, "-c", f"{program}; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.splitlines()[-1].split())
    assert {name for name in loaded if name.startswith("gradient_async.")} == {
        f"gradient_async.{name}" for name in ("_lazy", "cli", "cli.app", "cli.exit_codes", "errors")
    }
    assert loaded.isdisjoint({"aiohttp", "attrs", "msgspec", "rich"})


def test_the_help_of_chat_loads_no_http_client() -> None:
    program = "import sys; from gradient_async.cli.app import cli; cli(['chat', '--help'], standalone_mode=False)"
    done = subprocess.run(
        [sys.executable, "-c", f"{program}; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    assert "aiohttp" not in done.stdout.splitlines()[-1].split()


def test_help_lists_every_command(invoke: Invoke) -> None:
    listed = invoke("--help").stdout
    assert [name for name in COMMANDS if f"\n  {name} " not in listed] == []


def test_the_version_is_that_of_the_package(invoke: Invoke) -> None:
    assert gradient_async.__version__ in invoke("--version").stdout


def walk_commands(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        for inner in command.list_commands(click.Context(command)):
            found = command.get_command(click.Context(command), inner)
            assert found is not None
            yield from walk_commands(f"{name} {inner}", found)


def parse_example(words: list[str]) -> None:
    """Parse the arguments of an example, without reading the files that it names."""
    command: click.Command = cli
    while isinstance(command, click.Group) and words and not words[0].startswith("-") and words[0] != "COMMAND":
        found = command.get_command(click.Context(command), words.pop(0))
        assert found is not None
        command = found
    if "--help" not in words:
        command.make_parser(click.Context(command)).parse_args(words)


@pytest.mark.parametrize(
    ("name", "command"), [pytest.param(*each, id=each[0]) for each in walk_commands("gradient-async", cli)]
)
def test_every_help_ends_with_examples_that_can_be_typed(name: str, command: click.Command) -> None:
    ending = command.get_help(click.Context(command, info_name=name)).partition("Examples:\n")[2]
    lines = [line.strip().removeprefix('echo "Name a river." | ') for line in ending.splitlines()]
    examples = [line.partition(" < ")[0].partition(" | ")[0] for line in lines]
    assert any(name in example for example in examples)
    for example in examples:
        program, *words = shlex.split(example)
        assert program == "gradient-async"
        parse_example(words)


def test_an_unknown_command_is_a_usage_error(invoke: Invoke) -> None:
    assert invoke("chatt").exit_code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ConfigurationError("x"), ExitCode.USAGE),
        (errors.BatchValidationError("x"), ExitCode.USAGE),
        (errors.AuthenticationError("x"), ExitCode.API_ERROR),
        (errors.APITimeoutError("x", phase="total"), ExitCode.API_ERROR),
        (errors.StreamTruncatedError("x"), ExitCode.API_ERROR),
    ],
)
def test_an_error_has_its_exit_code(error: GradientError, code: ExitCode) -> None:
    assert exit_code_for(error) is code


@pytest.mark.parametrize(
    ("args", "closed", "code"),
    [
        (["chat", "Hello"], ">&-", ExitCode.OK),
        (["chat", "Hello"], "2>&-", ExitCode.OK),
        (["chat"], "<&-", ExitCode.USAGE),
        (["map"], "<&-", ExitCode.USAGE),
    ],
)
def test_a_closed_standard_stream_counts_as_empty(
    args: list[str], closed: str, code: ExitCode, gradient: Emulator, start: Start
) -> None:
    process = start(*args, closed=closed)
    _, notes = process.communicate(timeout=HANG_SECONDS)
    assert (process.returncode, "Traceback" in notes) == (code, False)


def test_a_file_that_cannot_be_written_is_named_without_a_traceback(
    gradient: Emulator, invoke: Invoke, tmp_path: Path
) -> None:
    source = tmp_path / "in.jsonl"
    body = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
    source.write_text(json.dumps({"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body}))
    invoke("batch", "run", str(source), "--every", "0.02")
    result = invoke("batch", "results", gradient.batches.jobs[0].id, "-o", str(tmp_path / "none" / "out.jsonl"))
    assert result.exit_code == ExitCode.USAGE
    assert str(tmp_path / "none") in result.stderr.replace("\n", "")
    assert "No such file or directory" in result.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_a_full_disk_is_reported_without_a_traceback(gradient: Emulator, start: Start) -> None:
    with Path("/dev/full").open("w") as full:
        process = start("chat", "Hello", stdout=full.fileno())
        _, notes = process.communicate(timeout=HANG_SECONDS)
    assert (process.returncode, notes) == (
        ExitCode.API_ERROR,
        "gradient-async: Input or output failed: No space left on device.\n",
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_help_that_cannot_be_printed_is_reported_without_a_traceback(start: Start) -> None:
    with Path("/dev/full").open("w") as full:
        process = start("--help", stdout=full.fileno())
        _, notes = process.communicate(timeout=HANG_SECONDS)
    expected = "gradient-async: Help could not be printed: No space left on device.\n"
    assert (process.returncode, notes) == (ExitCode.API_ERROR, expected)


@pytest.mark.parametrize("absent", ["click", "rich"])
def test_the_command_without_its_extra_names_the_packages_to_install(absent: str) -> None:
    program = f"import sys; sys.modules[{absent!r}] = None; from gradient_async.cli import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == ExitCode.USAGE
    assert done.stdout == ""
    assert "pip install 'gradient-async[cli]'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "completed"),
    [("gradient-async mo", {"models"}), ("gradient-async batch re", {"report", "results", "retry"})],
)
def test_the_shell_completes_commands(words: str, completed: set[str]) -> None:
    *args, incomplete = words.split()[1:]
    completions = ShellComplete(cli, {}, "gradient-async", "_GRADIENT_ASYNC_COMPLETE").get_completions(args, incomplete)
    assert {each.value for each in completions} == completed


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_documented_variable_prints_the_script_of_a_shell(
    shell: str, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_GRADIENT_ASYNC_COMPLETE", f"{shell}_source")
    complete = get_completion_class(shell)
    assert complete is not None
    monkeypatch.setattr(complete, "_check_version", lambda *_: None, raising=False)
    assert f"_GRADIENT_ASYNC_COMPLETE={shell}_complete" in invoke().output.replace("COMPLETE ", "COMPLETE=")
