"""``doctor``: names of variables without their values, and the problems it finds."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from gradient_async.testing import Emulator
from tests.support.cli import Invoke

PROBLEM = "Problem: "


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def test_the_doctor_finds_no_problem_with_keys_and_hosts(gradient: Emulator, invoke: Invoke) -> None:
    result = invoke("doctor")
    assert result.exit_code == 0
    assert "Everything is in place. No key was sent: gradient-async models tries yours." in result.stdout
    assert f"{gradient.url} " in result.stdout


def test_the_doctor_neither_prints_nor_sends_a_key(gradient: Emulator, invoke: Invoke) -> None:
    shown = invoke("doctor").output + invoke("doctor", "--json").output
    assert "secret" not in shown
    assert [seen for seen in gradient.requests if "Authorization" in seen.headers] == []


def test_the_doctor_names_the_variable_that_takes_precedence(
    gradient: Emulator, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGITALOCEAN_TOKEN", "dop_v1_other")
    line = next(line for line in invoke("doctor").stdout.splitlines() if "inference key" in line)
    assert line.split(maxsplit=2)[2] == "MODEL_ACCESS_KEY; not used: DIGITALOCEAN_TOKEN"


def test_the_doctors_json_holds_the_whole_report(gradient: Emulator, invoke: Invoke) -> None:
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
def test_a_missing_or_invalid_setting_is_a_problem(
    change: dict[str, str], problem: str, gradient: Emulator, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in change.items():
        monkeypatch.setenv(name, value)
    result = invoke("doctor")
    assert result.exit_code == 1
    assert any(problem in line for line in result.stdout.splitlines() if line.startswith(PROBLEM))
    assert "sec ret" not in result.output


def test_an_unreachable_host_is_a_problem(
    gradient: Emulator, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, closed_port: int
) -> None:
    monkeypatch.setenv("GRADIENT_INFERENCE_ENDPOINT", f"http://127.0.0.1:{closed_port}")
    result = invoke("doctor")
    assert result.exit_code == 1
    assert "cannot be reached" in result.stdout


def test_a_silent_host_is_a_problem(gradient: Emulator, invoke: Invoke) -> None:
    gradient.stall(30, path="/health")
    result = invoke("doctor", "--timeout", "0.2")
    assert result.exit_code == 1
    assert "did not respond in time" in result.stdout


def test_a_failing_host_is_a_problem(gradient: Emulator, invoke: Invoke) -> None:
    gradient.fail(status=503, path="/health")
    result = invoke("doctor")
    assert result.exit_code == 1
    assert "status 503" in result.stdout


def test_an_unknown_aiohttp_is_named_and_is_not_a_problem(
    gradient: Emulator, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = aiohttp.ClientResponse.start

    async def start_anew(self: Any, connection: Any, speed: float = 1.0) -> aiohttp.ClientResponse:
        return await start(self, connection)

    monkeypatch.setattr(aiohttp, "__version__", "99.1")
    monkeypatch.setattr(aiohttp.ClientResponse, "start", start_anew)
    result = invoke("doctor")
    assert result.exit_code == 0
    assert "Fast path of requests: not used, aiohttp 99.1 is not known to this version (" in result.stdout
    assert " differs)" in json.loads(invoke("doctor", "--json").stdout)["slow_path"]
