"""``models``: for people and for pipes."""

from __future__ import annotations

import json

from gradient_async.cli.exit_codes import ExitCode


def test_in_a_pipe_it_is_one_line_for_each_model(gradient, invoke):
    result = invoke("models")
    assert [line.split("\t")[0] for line in result.stdout.splitlines()] == list(gradient.models)


def test_json_is_the_list_of_the_service(gradient, invoke):
    listed = json.loads(invoke("models", "--json").stdout)
    assert [model["id"] for model in listed["data"]] == list(gradient.models)


def test_in_a_terminal_it_is_a_table(gradient, start_in_terminal):
    shown, code = start_in_terminal("models")
    assert code == 0
    assert "owner" in shown
    assert all(slug in shown for slug in gradient.models)


def test_a_refusal_is_an_api_error(gradient, invoke):
    gradient.fail(status=403)
    result = invoke("models")
    assert (result.exit_code, result.stdout) == (ExitCode.API_ERROR, "")
