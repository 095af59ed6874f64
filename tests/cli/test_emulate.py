"""``emulate``: a process that serves the API until it is stopped."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from collections.abc import Callable

import pytest

from gradient_async import AsyncSession
from gradient_async.cli.exit_codes import ExitCode
from tests.support.cli import Invoke, Start, stderr_of, stdout_of
from tests.support.waiting import HANG_SECONDS

StartEmulator = Callable[[], tuple["subprocess.Popen[str]", dict[str, str]]]


@pytest.fixture
def start_emulator(start: Start) -> StartEmulator:
    """Starts the command; returns the process and the variables it printed."""

    def start_and_read() -> tuple[subprocess.Popen[str], dict[str, str]]:
        process = start("emulate", "--port", "0", "--token-delay", "0")
        text = "".join(stdout_of(process).readline() for _ in range(4))
        variables = dict(re.findall(r"^export (\w+)=(\S+)$", text, re.MULTILINE))
        assert len(variables) == 4
        return process, variables

    return start_and_read


async def test_emulate_prints_the_variables_for_a_client(
    start_emulator: StartEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, variables = start_emulator()
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    async with AsyncSession() as session:
        whole = await session.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])
        agent = await session.agent().chat.completions.create(messages=[{"role": "user", "content": "Hi"}])
    assert whole.text
    assert agent.text


async def test_emulate_logs_each_request_on_stderr(start_emulator: StartEmulator) -> None:
    process, variables = start_emulator()
    async with AsyncSession("k", base_url=variables["GRADIENT_INFERENCE_ENDPOINT"]) as session:
        await session.models.list()
    assert stderr_of(process).readline() == "Running; Ctrl-C stops it.\n"
    assert stderr_of(process).readline() == "GET /v1/models 200\n"


async def test_emulate_logs_uploads(start_emulator: StartEmulator) -> None:
    process, variables = start_emulator()
    async with AsyncSession("k", base_url=variables["GRADIENT_INFERENCE_ENDPOINT"]) as session:
        file = await session.batches.create_file("prompts.jsonl")
        await session.batches.upload(file, b'{"custom_id": "1"}\n')
    lines = [stderr_of(process).readline().split() for _ in range(3)][1:]
    assert sorted((method, status) for method, _, status in lines) == [("POST", "201"), ("PUT", "200")]


def test_ctrl_c_stops_emulate_with_success(start_emulator: StartEmulator) -> None:
    process, _ = start_emulator()
    process.send_signal(signal.SIGINT)
    _, notes = process.communicate(timeout=HANG_SECONDS)
    assert process.returncode == ExitCode.OK
    assert notes.endswith("Stopped.\n")


def test_an_occupied_port_is_a_usage_error(invoke: Invoke) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = invoke("emulate", "--port", str(taken.getsockname()[1]))
    assert result.exit_code == ExitCode.USAGE
    assert "Cannot listen" in result.stderr
