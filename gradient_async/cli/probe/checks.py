"""The checks on the live service, in order: what each sends, and the findings in what comes back.

Two checks and the two other APIs generate a few tokens each; everything else is free of charge. The batch checks
announce a file that is never uploaded, and ask for a job of a file that does not exist.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from gradient_async.cli.probe.exchange import Exchange, ProbeClient
from gradient_async.cli.probe.findings import Finding, describe_response, list_headers, list_stream_findings

CHAT_PATH = "/v1/chat/completions"
WRONG_MODEL = "gradient-async-probe-no-such-model"
WRONG_KEY = "gradient-async-probe-no-such-key"
MISSING_FILE = "00000000-0000-4000-8000-000000000000"
_PROMPT = "Count from one to ten, in words."
_TOKENS = {"max_tokens": 16}


async def run_checks(client: ProbeClient, model: str, idle: float) -> AsyncIterator[Finding]:
    """Send the requests of each check and yield the findings; *idle* is in seconds."""
    for check in (_check_headers, _check_errors, _check_stream, _check_other_apis):
        async for finding in check(client, model):
            yield finding
    async for finding in _check_batches(client):
        yield finding
    yield await _check_idle(client, idle)


def _build_body(model: str, **params: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": _PROMPT}], **_TOKENS, **params}


async def _check_headers(client: ProbeClient, model: str) -> AsyncIterator[Finding]:
    models = await client.send_request("GET", "/v1/models")
    yield Finding("models", describe_response(models))
    whole = await client.send_request("POST", CHAT_PATH, _build_body(model))
    yield Finding("whole response", f"after {whole.seconds:.2f} s: {describe_response(whole)}")
    for finding in list_headers(whole):
        yield finding


async def _check_errors(client: ProbeClient, model: str) -> AsyncIterator[Finding]:
    requests: dict[str, tuple[str, str, Any, str | None]] = {
        "wrong model": ("POST", CHAT_PATH, _build_body(WRONG_MODEL), None),
        "wrong parameter": ("POST", CHAT_PATH, _build_body(model, temperature=99), None),
        "unknown parameter": ("POST", CHAT_PATH, _build_body(model, gradient_async_probe=1), None),
        "no messages": ("POST", CHAT_PATH, {"model": model, **_TOKENS}, None),
        "wrong key": ("GET", "/v1/models", None, WRONG_KEY),
        "unknown path": ("GET", "/v1/gradient-async-probe", None, None),
    }
    for name, (method, path, body, key) in requests.items():
        yield Finding(name, describe_response(await client.send_request(method, path, body, key=key)))


async def _check_stream(client: ProbeClient, model: str) -> AsyncIterator[Finding]:
    body = _build_body(model, stream=True, stream_options={"include_usage": True}, max_tokens=64)
    for finding in list_stream_findings(await client.send_request("POST", CHAT_PATH, body)):
        yield finding
    refused = await client.send_request("POST", CHAT_PATH, _build_body(WRONG_MODEL, stream=True))
    yield Finding("wrong model, streamed", describe_response(refused))


async def _check_other_apis(client: ProbeClient, model: str) -> AsyncIterator[Finding]:
    message = await client.send_request("POST", "/v1/messages", _build_body(model))
    yield Finding("messages API", describe_response(message))
    body = {"model": model, "input": _PROMPT, "max_output_tokens": 16}
    yield Finding("responses API", describe_response(await client.send_request("POST", "/v1/responses", body)))


async def _check_batches(client: ProbeClient) -> AsyncIterator[Finding]:
    listed = await client.send_request("GET", "/v1/batches?limit=1")
    yield Finding("batch list", describe_permission(listed))
    announced = await client.send_request("POST", "/v1/batches/files", {"file_name": "gradient-async-probe.jsonl"})
    yield Finding("batch file", describe_permission(announced))
    body = {
        "file_id": MISSING_FILE,
        "provider": "openai",
        "endpoint": CHAT_PATH,
        "completion_window": "24h",
        "request_id": MISSING_FILE,
    }
    created = await client.send_request("POST", "/v1/batches", body)
    yield Finding("batch of a missing file", describe_permission(created))
    job_id = created.json.get("batch_id") if created.status in (200, 201) and isinstance(created.json, dict) else None
    if isinstance(job_id, str) and job_id.replace("-", "").isalnum():
        cancelled = await client.send_request("POST", f"/v1/batches/{job_id}/cancel")
        yield Finding("its cancellation", describe_response(cancelled))


def describe_permission(exchange: Exchange) -> str:
    """Return whether the key may use an endpoint, and the response."""
    words = {401: "not permitted", 403: "not permitted", 402: "not paid for", None: "unknown"}
    return f"{words.get(exchange.status, 'permitted')}: {describe_response(exchange)}"


async def _check_idle(client: ProbeClient, idle: float) -> Finding:
    """Leave the connection alone for *idle* seconds and see whether the next request can still use it."""
    before = await client.send_request("GET", "/v1/models")
    await asyncio.sleep(idle)
    after = await client.send_request("GET", "/v1/models")
    if before.problem or after.problem:
        return Finding("idle connection", f"not known: {before.problem or after.problem}")
    state = "still usable" if after.reused else "closed by the service"
    return Finding("idle connection", f"{state} after {idle:g} s")
