"""The options of every command that calls the service."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator

import click
import pytest

from gradient_async.cli.app import COMMANDS, load_command
from gradient_async.cli.exit_codes import ExitCode
from gradient_async.testing import Emulator
from tests.support.cli import Invoke
from tests.support.thread_server import receive_request, run_thread_server

NETWORK = {"--profile", "--header", "--proxy", "--timeout", "--verbose"}
LOCAL = {("emulate",), ("batch", "validate"), ("doctor",), ("proxy",)}
"""Commands that send no request, or none with a session of this machine."""


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name.upper()}_PROXY", raising=False)


def list_commands() -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name in COMMANDS:
        command = load_command(name)
        subcommands = command.commands if isinstance(command, click.Group) else {}
        yield from (((name, inner), each) for inner, each in subcommands.items())
        if not subcommands:
            yield (name,), command


@pytest.mark.parametrize(
    ("path", "command"), [pytest.param(path, command, id=" ".join(path)) for path, command in list_commands()]
)
def test_every_command_that_calls_the_service_has_them(path: tuple[str, ...], command: click.Command) -> None:
    names = [name for option in command.params for name in option.opts]
    assert len(names) == len(set(names))
    if path not in LOCAL:
        assert set(names) >= NETWORK


@pytest.mark.parametrize("command", ["chat", "models", "batch list"])
def test_headers_are_sent(gradient: Emulator, invoke: Invoke, command: str) -> None:
    arguments = ("Hi",) if command == "chat" else ()
    result = invoke(*command.split(), *arguments, "--header", "X-Team: search", "--header", "X-Other:a:b")
    assert result.exit_code == 0, result.output
    headers = gradient.requests[0].headers
    assert (headers["X-Team"], headers["X-Other"]) == ("search", "a:b")


def test_a_proxy_receives_the_requests(gradient: Emulator, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    heads: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        while request := receive_request(connection):
            heads.append(request)
            body = b'{"object": "list", "data": []}'
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    with run_thread_server(serve) as address:
        assert invoke("models", "--proxy", f"http://user:secret@{address}").exit_code == 0
        monkeypatch.setenv("HTTP_PROXY", f"http://{address}")
        assert invoke("models").exit_code == 0
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert invoke("models").exit_code == 0
    assert [head.split()[1].decode() for head in heads] == [f"{gradient.url}/v1/models"] * 2
    assert b"Proxy-Authorization: Basic " in heads[0]
    assert len(gradient.requests) == 1


def test_a_timeout_limits_a_request(gradient: Emulator, invoke: Invoke) -> None:
    gradient.stall(seconds=30)
    result = invoke("models", "--timeout", "0.1")
    assert result.exit_code == ExitCode.API_ERROR
    assert "in time" in result.stderr


def test_verbose_prints_attempts_without_prompt_and_key(gradient: Emulator, invoke: Invoke) -> None:
    gradient.fail(503, message="nobody may read this prompt")
    result = invoke("chat", "nobody may read this prompt", "--no-stream", "--verbose", "--header", "X-Team: secret")
    assert result.exit_code == 0
    assert result.stderr.count("/v1/chat/completions: ") == 3
    assert "attempt 1 failed (InternalServerError 503" in result.stderr
    assert "prompt" not in result.stderr
    assert "secret" not in result.stderr
    handlers = logging.getLogger("gradient_async").handlers
    assert all(isinstance(handler, logging.NullHandler) for handler in handlers)
    assert "/v1/" not in invoke("models").stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--header", "secret"), "a name and a value"),
        (("--header", ": secret"), "a name and a value"),
        (("--header", "Authorization: secret"), "Authorization"),
        (("--proxy", "socks5://user:secret@host"), "HTTP proxy"),
        (("--proxy", "http://user:secret@host:x"), "address of a proxy"),
        (("--timeout", "0"), "0"),
    ],
)
def test_a_value_that_cannot_be_used_is_a_usage_error(
    gradient: Emulator, invoke: Invoke, arguments: tuple[str, ...], message: str
) -> None:
    result = invoke("models", *arguments)
    assert result.exit_code == ExitCode.USAGE
    assert message in result.stderr
    assert "secret" not in result.stderr
    assert gradient.requests == []
