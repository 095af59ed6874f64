"""``doctor``: names, never values, and one verdict."""

from __future__ import annotations

import json
import socket

import pytest

PROBLEM = "Problem: "


@pytest.fixture
def closed_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def test_all_is_well_with_keys_and_hosts(gradient, invoke):
    result = invoke("doctor")
    assert result.exit_code == 0
    assert "Everything is in place." in result.stdout
    assert f"{gradient.url} " in result.stdout


def test_no_value_of_a_key_is_shown_or_sent(gradient, invoke):
    shown = invoke("doctor").output + invoke("doctor", "--json").output
    assert "secret" not in shown
    assert [seen for seen in gradient.requests if "Authorization" in seen.headers] == []


def test_it_says_which_variable_wins(gradient, invoke, monkeypatch):
    monkeypatch.setenv("DIGITALOCEAN_TOKEN", "dop_v1_other")
    line = next(line for line in invoke("doctor").stdout.splitlines() if "inference key" in line)
    assert line.split(maxsplit=2)[2] == "MODEL_ACCESS_KEY; not used: DIGITALOCEAN_TOKEN"


def test_json_holds_the_whole_report(gradient, invoke):
    report = json.loads(invoke("doctor", "--json").stdout)
    assert report["ok"] is True
    assert report["problems"] == []
    assert report["packages"]["aiohttp"]
    assert {host["host"]: host["status"] for host in report["hosts"]} == {gradient.url: 401, gradient.agent_url: 200}
    assert report["settings"][0]["used"] == "MODEL_ACCESS_KEY"
    assert "value" not in report["settings"][0]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"MODEL_ACCESS_KEY": ""}, "No inference key"),
        ({"MODEL_ACCESS_KEY": "sk-sec ret"}, "a space"),
        ({"AGENT_ACCESS_KEY": ""}, "no agent key"),
        ({"AGENT_ENDPOINT": ""}, "no agent address"),
        ({"GRADIENT_INFERENCE_ENDPOINT": "http://elsewhere.example"}, "unencrypted"),
    ],
)
def test_what_is_missing_or_cannot_work_is_a_problem(change, problem, gradient, invoke, monkeypatch):
    for name, value in change.items():
        monkeypatch.setenv(name, value)
    result = invoke("doctor")
    assert result.exit_code == 1
    assert any(problem in line for line in result.stdout.splitlines() if line.startswith(PROBLEM))
    assert "sec ret" not in result.output


def test_a_host_that_cannot_be_reached_is_a_problem(gradient, invoke, monkeypatch, closed_port):
    monkeypatch.setenv("GRADIENT_INFERENCE_ENDPOINT", f"http://127.0.0.1:{closed_port}")
    result = invoke("doctor")
    assert result.exit_code == 1
    assert "cannot be reached" in result.stdout


def test_a_host_that_is_silent_is_a_problem(gradient, invoke):
    gradient.stall(30, path="/health")
    result = invoke("doctor", "--timeout", "0.2")
    assert result.exit_code == 1
    assert "did not answer in time" in result.stdout


def test_a_host_that_fails_is_a_problem(gradient, invoke):
    gradient.fail(status=503, path="/health")
    result = invoke("doctor")
    assert result.exit_code == 1
    assert "status 503" in result.stdout
