"""``emulate``: a process that serves the API until it is stopped."""

from __future__ import annotations

import re
import signal
import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from gradient_async import AsyncSession
from gradient_async.cli.emulate import emulate_command
from gradient_async.cli.emulate_options import collect_settings
from gradient_async.cli.exit_codes import ExitCode
from gradient_async.testing import Emulator, Tier
from tests.support.cli import Invoke, Start, stderr_of, stdout_of
from tests.support.waiting import HANG_SECONDS

StartEmulator = Callable[..., tuple["subprocess.Popen[str]", dict[str, str]]]


def read_variables(process: subprocess.Popen[str], count: int) -> tuple[subprocess.Popen[str], dict[str, str]]:
    """Read the first *count* lines that a command prints; return it with the variables in them."""
    text = "".join(stdout_of(process).readline() for _ in range(count))
    variables = dict(re.findall(r"^export (\w+)=(\S+)$", text, re.MULTILINE))
    assert len(variables) == count
    return process, variables


@pytest.fixture
def start_emulator(start: Start) -> StartEmulator:
    """Starts the command; returns the process and the variables it printed."""

    def start_and_read(*options: str) -> tuple[subprocess.Popen[str], dict[str, str]]:
        return read_variables(start("emulate", "--port", "0", "--token-delay", "0", *options), 4)

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


async def test_emulate_logs_a_client_that_leaves_a_stream(start: Start) -> None:
    process, variables = read_variables(start("emulate", "--port", "0", "--token-delay", "0.1"), 4)
    async with AsyncSession("k", base_url=variables["GRADIENT_INFERENCE_ENDPOINT"]) as session:
        messages: Any = [{"role": "user", "content": "Hi"}]
        async for _ in session.chat.completions.stream(model="m", messages=messages):
            break
    assert stderr_of(process).readline() == "Running; Ctrl-C stops it.\n"
    assert stderr_of(process).readline() == "POST /v1/chat/completions 200, the client left early\n"


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


async def test_emulate_with_tls_prints_the_certificate_to_trust(start: Start) -> None:
    pytest.importorskip("trustme", reason="trustme, which makes the certificates, is not installed")
    _, variables = read_variables(start("emulate", "--port", "0", "--tls"), 6)
    assert variables["SSL_CERT_FILE"] == variables["NODE_EXTRA_CA_CERTS"]
    trusting = ssl.create_default_context(cafile=variables["SSL_CERT_FILE"])
    async with AsyncSession("k", base_url=variables["GRADIENT_INFERENCE_ENDPOINT"], ssl=trusting) as session:
        assert (await session.models.list()).data


def collect(*arguments: str) -> dict[str, Any]:
    """The arguments of `Emulator` for a command line."""
    return collect_settings(**emulate_command.make_context("emulate", list(arguments)).params)


def test_every_setting_of_an_emulator_but_its_clock_has_an_option() -> None:
    settings = {field.alias for field in attrs.fields(Emulator) if field.init}
    assert settings - {"clock"} == collect("--model", "m").keys()


@pytest.mark.parametrize(
    ("arguments", "name", "value"),
    [
        ([], "tier", None),
        (["--tier", "60"], "tier", Tier(60)),
        (["--tier", "a=60", "--tier", "b=5/900/70"], "tier", {"a": Tier(60), "b": Tier(5, tokens_per_minute=900, tokens_per_day=70)}),
        ([], "limits", "documented"),
        (["--no-limits"], "limits", None),
        (["--window", "5/60", "--window", "9/3600"], "limits", ((5, 60.0), (9, 3600.0))),
        (["--model", "a", "--model", "b"], "models", ("a", "b")),
        (["--batch-seconds", "2"], "batch_seconds", 2.0),
        (["--batch-shape", "captured"], "batch_shape", "captured"),
        (["--strict-models"], "strict_models", True),
        (["--lenient-agent"], "lenient_agent", True),
        (["--seed", "7"], "seed", 7),
        (["--api-key", "right"], "api_key", "right"),
    ],
)  # fmt: skip
def test_options_become_settings_of_the_emulator(arguments: list[str], name: str, value: object) -> None:
    settings = collect(*arguments)
    assert settings[name] == value
    Emulator(**settings)


def test_passages_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "passages.txt"
    file.write_text("One\nmore\n\n\nTwo\n")
    assert collect("--knowledge-base", f"kb={file}")["knowledge_bases"] == {"kb": ["One\nmore", "Two"]}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--tier", "many"], "is not like 60"),
        (["--tier", "0"], "is not like 60"),
        (["--tier", "1/2/3/4"], "is not like 60"),
        (["--tier", "60", "--tier", "a=60"], "--tier once"),
        (["--window", "60"], "is not like 250/60"),
        (["--knowledge-base", "kb"], "is not like ID=FILE"),
        (["--knowledge-base", "kb=/nowhere/at/all"], "Cannot read"),
    ],
)
def test_a_wrong_value_says_what_the_option_takes(invoke: Invoke, arguments: list[str], problem: str) -> None:
    result = invoke("emulate", *arguments)
    assert result.exit_code == ExitCode.USAGE
    assert problem in " ".join(result.stderr.split())
