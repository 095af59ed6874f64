"""``models``: output for terminals and for pipes."""

from __future__ import annotations

import json

from gradient_async.cli.exit_codes import ExitCode
from gradient_async.testing import Emulator
from tests.support.cli import Invoke, StartInTerminal


def test_models_in_a_pipe_prints_one_line_for_each_model(gradient: Emulator, invoke: Invoke) -> None:
    result = invoke("models")
    assert [line.split("\t")[0] for line in result.stdout.splitlines()] == list(gradient.models)


def test_models_with_json_prints_the_services_list(gradient: Emulator, invoke: Invoke) -> None:
    listed = json.loads(invoke("models", "--json").stdout)
    assert [model["id"] for model in listed["data"]] == list(gradient.models)


def test_models_in_a_terminal_prints_a_table(gradient: Emulator, start_in_terminal: StartInTerminal) -> None:
    shown, code = start_in_terminal("models")
    assert code == 0
    assert "owner" in shown
    assert all(slug in shown for slug in gradient.models)


def test_a_refusal_is_an_api_error(gradient: Emulator, invoke: Invoke) -> None:
    gradient.fail(status=403)
    result = invoke("models")
    assert (result.exit_code, result.stdout) == (ExitCode.API_ERROR, "")
