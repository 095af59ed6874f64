"""``proxy``: a process that serves until it is stopped."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest

from gradient_async.cli.exit_codes import ExitCode
from gradient_async.testing import Emulator
from tests.support.cli import Invoke, Start, WaitUntil, stderr_of, stdout_of
from tests.support.redis_server import run_redis_server
from tests.support.waiting import HANG_SECONDS

CHAT = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
StartProxy = Callable[..., tuple["subprocess.Popen[str]", str]]


@pytest.fixture
def start_proxy(start: Start) -> StartProxy:
    """Starts the command; returns the process and its address."""

    def start_and_read(*args: str) -> tuple[subprocess.Popen[str], str]:
        process = start("proxy", "--port", "0", *args)
        text = "".join(stdout_of(process).readline() for _ in range(4))
        variables = dict(re.findall(r"^export (\w+)=(.+)$", text, re.MULTILINE))
        assert list(variables) == ["OPENAI_BASE_URL", "OPENAI_API_KEY", "ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY"]
        assert variables["OPENAI_BASE_URL"] == f"{variables['ANTHROPIC_BASE_URL']}/v1"
        assert stderr_of(process).readline().startswith("Running at ")
        return process, variables["ANTHROPIC_BASE_URL"]

    return start_and_read


def post(url: str, **headers: str) -> int:
    request = urllib.request.Request(
        f"{url}/v1/chat/completions", json.dumps(CHAT).encode(), {"Content-Type": "application/json", **headers}
    )
    with urllib.request.urlopen(request, timeout=HANG_SECONDS) as response:
        status: int = response.status
        return status


def test_proxy_serves_with_the_key_of_the_environment(gradient: Emulator, start_proxy: StartProxy) -> None:
    _, url = start_proxy()
    assert post(url) == 200
    assert gradient.requests[0].headers["Authorization"] == "Bearer sk-secret"


def test_proxy_takes_its_tokens_from_the_environment_and_prints_none(
    gradient: Emulator, start_proxy: StartProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIENT_PROXY_TOKEN", "t-1 t-2")
    process, url = start_proxy()
    assert post(url, Authorization="Bearer t-2") == 200
    with pytest.raises(urllib.error.HTTPError, match="401") as caught:
        post(url, Authorization="Bearer t-3")
    caught.value.close()
    process.send_signal(signal.SIGINT)
    _, notes = process.communicate(timeout=HANG_SECONDS)
    assert "t-1" not in notes


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_proxy_with_success(gradient: Emulator, start_proxy: StartProxy, number: signal.Signals) -> None:
    process, _ = start_proxy()
    process.send_signal(number)
    _, notes = process.communicate(timeout=HANG_SECONDS)
    assert (process.returncode, notes) == (ExitCode.OK, "Stopped.\n")


def test_proxy_ends_running_requests_before_it_stops(
    gradient: Emulator, start_proxy: StartProxy, wait_until: WaitUntil
) -> None:
    process, url = start_proxy()
    gradient.reply("late", delay=0.5)
    statuses: list[int] = []
    caller = threading.Thread(target=lambda: statuses.append(post(url)))
    caller.start()
    wait_until(lambda: gradient.requests)
    process.send_signal(signal.SIGTERM)
    _, notes = process.communicate(timeout=HANG_SECONDS)
    caller.join()
    assert statuses == [200]
    assert notes.endswith("Stopped.\n")


def test_a_second_signal_ends_running_requests(
    gradient: Emulator, start_proxy: StartProxy, wait_until: WaitUntil
) -> None:
    process, url = start_proxy()
    gradient.reply("late", delay=60)
    failures: list[Exception] = []

    def call() -> None:
        try:
            post(url)
        except OSError as error:
            failures.append(error)

    caller = threading.Thread(target=call)
    caller.start()
    wait_until(lambda: gradient.requests)
    process.send_signal(signal.SIGINT)
    assert stderr_of(process).readline().startswith("Stopping after 1 ")
    process.send_signal(signal.SIGINT)
    _, notes = process.communicate(timeout=HANG_SECONDS)
    caller.join()
    assert len(failures) == 1
    assert (process.returncode, notes) == (
        ExitCode.OK,
        "1 requests were ended before they were complete.\nStopped.\n",
    )


def test_gateways_share_a_budget_over_redis(gradient: Emulator, start_proxy: StartProxy) -> None:
    with run_redis_server() as server:
        (_, one), (_, other) = (start_proxy("--redis", server.url, "--redis-key", "team") for _ in range(2))
        assert [post(one), post(other), post(one)] == [200, 200, 200]
        assert post(other) == 200  # which tells its process of the requests of the other
        with urllib.request.urlopen(f"{other}/status.json", timeout=HANG_SECONDS) as response:
            assert json.load(response)["windows"][0]["used"] == 4


def test_an_occupied_port_is_a_usage_error(gradient: Emulator, invoke: Invoke) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = invoke("proxy", "--port", str(taken.getsockname()[1]))
    assert result.exit_code == ExitCode.USAGE
    assert "the port is in use. Give another --port" in result.stderr


MISTAKES = [
    (["--host", "0.0.0.0"], "give a --token"),
    (["--host", "::"], "give a --token"),
    (["--token", " "], "A token is empty"),
    (["--host", "203.0.113.7", "--token", "t"], "does not have that address"),
]


@pytest.mark.parametrize(("args", "advice"), MISTAKES)
def test_a_mistake_is_a_usage_error(args: list[str], advice: str, gradient: Emulator, invoke: Invoke) -> None:
    result = invoke("proxy", *args)
    assert result.exit_code == ExitCode.USAGE
    assert advice in " ".join(result.stderr.split())


def test_a_missing_key_is_told_at_the_start(invoke: Invoke) -> None:
    result = invoke("proxy", "--port", "0")
    assert result.exit_code == ExitCode.USAGE
    assert "MODEL_ACCESS_KEY" in result.stderr
