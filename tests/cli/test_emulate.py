"""``emulate``: a process that speaks the API until it is stopped."""

from __future__ import annotations

import re
import signal
import socket

import pytest

from gradient_async import AsyncSession
from gradient_async.cli.exit_codes import ExitCode


@pytest.fixture
def emulating(start):
    """Start it; return the process and the variables it printed."""

    def started(*args: str):
        process = start("emulate", "--port", "0", "--token-delay", "0", *args)
        lines = [process.stdout.readline() for _ in range(4)]
        return process, dict(re.fullmatch(r"export (\w+)=(\S+)\n", line).groups() for line in lines)

    return started


async def test_it_prints_the_variables_that_point_a_client_at_it(emulating, monkeypatch):
    _, variables = emulating()
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    async with AsyncSession() as session:
        whole = await session.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])
        agent = await session.agent().chat.completions.create(messages=[{"role": "user", "content": "Hi"}])
    assert whole.text
    assert agent.text


async def test_it_logs_each_request_to_stderr(emulating):
    process, variables = emulating()
    async with AsyncSession("k", base_url=variables["GRADIENT_INFERENCE_ENDPOINT"]) as session:
        await session.models.list()
    assert process.stderr.readline() == "Running; Ctrl-C stops it.\n"
    assert process.stderr.readline() == "GET /v1/models 200\n"


async def test_it_logs_uploads_too(emulating):
    process, variables = emulating()
    async with AsyncSession("k", base_url=variables["GRADIENT_INFERENCE_ENDPOINT"]) as session:
        file = await session.batches.create_file("prompts.jsonl")
        await session.batches.upload(file, b'{"custom_id": "1"}\n')
    lines = [process.stderr.readline().split() for _ in range(3)][1:]
    assert sorted((method, status) for method, _, status in lines) == [("POST", "201"), ("PUT", "200")]


def test_ctrl_c_stops_it_with_success(emulating):
    process, _ = emulating()
    process.send_signal(signal.SIGINT)
    _, notes = process.communicate(timeout=5)
    assert process.returncode == ExitCode.OK
    assert notes.endswith("Stopped.\n")


def test_a_port_that_is_taken_is_a_usage_error(invoke):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = invoke("emulate", "--port", str(taken.getsockname()[1]))
    assert result.exit_code == ExitCode.USAGE
    assert "Cannot listen" in result.stderr
