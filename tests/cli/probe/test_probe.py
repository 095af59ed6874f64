"""``doctor --probe``: it asks first, finds the forms of responses, survives faults, and shows no secret."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradient_async.cli.exit_codes import ExitCode
from gradient_async.cli.probe.exchange import Exchange
from gradient_async.cli.probe.findings import MAX_CHARS, Finding, describe_response, describe_shape, format_table
from gradient_async.cli.probe.stream_facts import analyse_stream, measure_pace
from gradient_async.testing import Emulator
from tests.support.cli import Invoke, Serve
from tests.support.thread_server import receive_request, run_thread_server

CHAT = "/v1/chat/completions"
PROBE = ("doctor", "--probe", "--yes", "--idle", "0.01")


def probe(invoke: Invoke, *args: str) -> dict[str, str]:
    """Return the findings by check."""
    result = invoke(*PROBE, "--json", *args)
    assert result.exit_code == 0, result.output
    findings: dict[str, str] = json.loads(result.stdout)["findings"]
    return findings


def test_the_probe_finds_how_the_service_responds(
    serve: Serve, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(Emulator(tier=120, strict_models=True, api_key="sk-secret")) as emulator:
        monkeypatch.setenv("GRADIENT_INFERENCE_ENDPOINT", emulator.url)
        monkeypatch.setenv("MODEL_ACCESS_KEY", "sk-secret")
        found = probe(invoke)
    assert found["request id"] == "x-request-id"
    assert "x-ratelimit-remaining-tokens-per-day" in found["quota headers"]
    assert found["wrong model"].startswith("404; application/json; id=not_found; {")
    assert found["wrong parameter"].startswith("400; application/json; id=bad_request; {")
    assert found["wrong key"].startswith("401; ")
    assert found["stream framing"] == "lines end with LF; 67 data; event names: none"
    assert "usage in a chunk without choices; [DONE], then a blank line; closed cleanly" in found["stream end"]
    assert found["batch list"].startswith("permitted: 200")
    assert found["batch of a missing file"].startswith("permitted: 404")
    assert found["idle connection"] == "still usable after 0.01 s"


def test_the_probe_sends_the_key_and_prints_neither_it_nor_a_prompt(gradient: Emulator, invoke: Invoke) -> None:
    result = invoke(*PROBE)
    assert result.stdout.startswith("| check | result |\n|---|---|\n| model | ")
    assert [text for text in ("sk-secret", "Count from", "upload_url: h") if text in result.output] == []
    keys = {seen.headers["Authorization"] for seen in gradient.requests}
    assert keys == {"Bearer sk-secret", "Bearer gradient-async-probe-no-such-key"}
    assert gradient.batches.jobs == []


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_nothing_is_sent_without_consent(answer: str, gradient: Emulator, invoke: Invoke) -> None:
    result = invoke("doctor", "--probe", stdin=answer)
    assert (result.exit_code, gradient.requests) == (ExitCode.API_ERROR, [])
    assert result.stdout.strip() in ("", answer.strip())  # click before 8.2 shows what a test types
    assert "a few cents" in result.stderr
    assert "MODEL_ACCESS_KEY" in result.stderr


def test_consent_begins_the_probe(gradient: Emulator, invoke: Invoke) -> None:
    result = invoke("doctor", "--probe", "--idle", "0.01", "--model", "m", stdin="y\n")
    assert (result.exit_code, "| model | m |" in result.stdout) == (0, True)


@pytest.mark.parametrize(
    ("variables", "message"),
    [({"MODEL_ACCESS_KEY": ""}, "needs a key"), ({"GRADIENT_INFERENCE_ENDPOINT": "http://else.example"}, "https")],
)
def test_a_probe_that_cannot_begin_is_a_usage_error(
    variables: dict[str, str], message: str, gradient: Emulator, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    result = invoke(*PROBE)
    assert (result.exit_code, gradient.requests) == (ExitCode.USAGE, [])
    assert message in " ".join(result.stderr.split())


HOSTILE = {"error": {"message": "sk-secret", "code": "sk-secret", "type": "a|b", "\x1b[31m": 1, "x" * 60: 2}}
FAULTS: dict[str, tuple[Callable[[Emulator], object], str, str]] = {
    "refused": (lambda it: it.fail(503, path=CHAT, times=None), "stream", "503; application/json; "),
    "cut": (lambda it: it.truncate(after=2, path=CHAT, times=None), "stream end", "no [DONE]; "),
    "reset": (lambda it: it.reset(path="/v1/models", times=None), "idle connection", "not known: Client"),
    "silent": (lambda it: it.stall(60, path="/v1/models"), "models", "no response: not ended within 0.5 s"),
    "stalled": (lambda it: it.stall(60, after=2, path=CHAT), "whole response", "; not whole: not ended within 0.5 s; "),
    "redirect": (lambda it: it.redirect("https://elsewhere.example/", path="/v1/models"), "models", "307; "),
    "page": (
        lambda it: it.reply(body="<html>sk-secret", content_type="text/html", path="/v1/models"),
        "models",
        "200; text/html; 15 bytes that are not JSON",
    ),
    "forbidden": (
        lambda it: it.fail(403, path="/v1/batches/files", body={"id": "forbidden", "message": "no"}),
        "batch file",
        "not permitted: 403; application/json; id=forbidden; {id: text, message: text}",
    ),
    "hostile": (
        lambda it: it.fail(400, path="/v1/models", body=HOSTILE),
        "models",
        "code=(hidden); {error: {message: text, code: text, type: text, (a name): int, (a name): int}}",
    ),
}


@pytest.mark.parametrize(("inject", "check", "expected"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_a_finding(
    inject: Callable[[Emulator], object], check: str, expected: str, gradient: Emulator, invoke: Invoke
) -> None:
    inject(gradient)
    found = probe(invoke, *(["--timeout", "0.5"] if "0.5 s" in expected else []))
    assert expected in found[check]
    assert "batch list" in found
    assert "secret" not in str(found)


DEEP = b"[" * 100_000
ODDITIES = {
    b"garbage\r\n\r\n": "no response: ",
    b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n": "200; no content type; not whole: ",
    b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(DEEP), DEEP): "bytes that are not JSON",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + b"x" * 2_000_000: "more than 1048576 bytes",
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: \xff" + DEEP: "not JSON",
    b"": "no response: ServerDisconnectedError",
}


@pytest.mark.parametrize(("response", "expected"), ODDITIES.items(), ids=ODDITIES.values())
def test_an_odd_server_is_described(
    response: bytes, expected: str, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    def serve(connection: socket.socket) -> None:
        if receive_request(connection):
            connection.sendall(response)

    monkeypatch.setenv("MODEL_ACCESS_KEY", "sk-secret")
    with run_thread_server(serve) as address:
        monkeypatch.setenv("GRADIENT_INFERENCE_ENDPOINT", f"http://{address}")
        found = probe(invoke)
    assert expected in found["models"]
    assert found["idle connection"].startswith(("not known: ", "closed by the service after"))


@pytest.mark.parametrize(
    ("body", "facts"),
    [
        (b"data: {}\n\ndata: [DONE]\n\n", {"line_ends": ("LF",), "fields": {"data": 2}, "after_done": "a blank line"}),
        (b"data: {}\r\n\r\ndata:[DONE]", {"line_ends": ("CRLF",), "is_done": True, "after_done": "nothing"}),
        (b"data: [DONE]\n\n: ping\n\n", {"fields": {"data": 1, "": 1}, "after_done": "more"}),
        (b"\xef\xbb\xbf: hi\n\nevent: a\ndata: x\n\n", {"has_bom": True, "event_names": ("a",), "is_done": False}),
        (b'data: {"choices": [{"finish_reason": "stop"}], "usage": {"a": 1}}\n', {"usage": "a chunk with choices"}),
        (b'data: {"choices": [], "usage": {"a": 1}}\n', {"usage": "a chunk without choices", "has_finish": False}),
        (b'data: {"choices": null}\ndata: 3\nid: 1\rretry: 2', {"fields": {"data": 2, "id": 1, "retry": 1}}),
        (b"", {"line_ends": (), "usage": "no chunk"}),
    ],
)
def test_the_framing_of_a_stream_is_read_from_its_bytes(body: bytes, facts: dict[str, Any]) -> None:
    found = analyse_stream(body)
    assert {name: getattr(found, name) for name in facts} == facts


def test_the_pace_of_a_stream_is_that_of_its_blocks() -> None:
    blocks = ((0.5, b"data: {}\n\n"), (3.5, b": ping\n\n"), (4.0, b"data: [DONE]\n\n"))
    assert measure_pace(Exchange(status=200, blocks=blocks, seconds=6.0)) == (0.5, 3.0, 2.0)
    assert measure_pace(Exchange(seconds=6.0)) == (6.0, 0.0, 0.0)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.just("SECRET"),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(max_examples=30)
@given(JSON)
def test_a_form_holds_no_text_of_the_service(value: Any) -> None:
    assert "SECRET" not in describe_shape(value)
    body = json.dumps(value).encode()
    assert "SECRET" not in describe_response(Exchange(status=200, blocks=((0.0, body),)))


@given(st.text())
def test_a_table_keeps_its_columns_whatever_a_cell_holds(text: str) -> None:
    row = format_table([Finding("check", text)], []).split("\n")[-1]
    assert (row.count("|"), row.isprintable(), row.isascii()) == (3, True, True)
    assert len(row) <= MAX_CHARS + len("| check |  |")
