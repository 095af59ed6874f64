"""The group: what it lists, and how each error ends a command."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

import gradient_async
from gradient_async import errors
from gradient_async.cli.app import COMMANDS
from gradient_async.cli.exits import Exit, exit_of


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_a_module_with_a_command_of_that_name(name):
    assert import_module(COMMANDS[name]).command.name == name


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name, invoke):
    result = invoke(name, "--help")
    assert result.exit_code == 0
    assert f"gradient-async {name}" in result.stdout


def test_help_lists_every_command(invoke):
    listed = invoke("--help").stdout
    assert [name for name in COMMANDS if f"\n  {name} " not in listed] == []


def test_the_version_is_that_of_the_package(invoke):
    assert gradient_async.__version__ in invoke("--version").stdout


def test_an_unknown_command_is_a_usage_error(invoke):
    assert invoke("chatt").exit_code == Exit.USAGE


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ConfigurationError("x"), Exit.USAGE),
        (errors.BatchValidationError("x"), Exit.USAGE),
        (errors.AuthenticationError("x"), Exit.API_ERROR),
        (errors.APITimeoutError("x", phase="total"), Exit.API_ERROR),
        (errors.StreamTruncatedError("x"), Exit.API_ERROR),
    ],
)
def test_an_error_has_its_exit_code(error, code):
    assert exit_of(error) is code


@pytest.mark.parametrize("absent", ["click", "rich"])
def test_without_the_extra_it_says_what_to_install(absent):
    program = f"import sys; sys.modules[{absent!r}] = None; from gradient_async.cli import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == Exit.USAGE
    assert done.stdout == ""
    assert "pip install 'gradient-async[cli]'" in done.stderr
    assert "Traceback" not in done.stderr
