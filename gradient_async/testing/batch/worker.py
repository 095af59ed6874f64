"""The execution of one request of a batch, by the emulator's endpoints of chat and of responses.

Contract: deterministic. A request gets the response of a call with the same body, except that only the beginning of a
very long text is read, which bounds the time. Scripted replies are for calls and stay queued. A model whose name
begins with ``fail-`` does not exist.
Source: the endpoints of the Batch Inference reference; the Anthropic Messages API for its request and response; the
embeddings object of the OpenAI API.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from gradient_async.testing.batch.lines import Outcome
from gradient_async.testing.endpoints.chat import ChatEndpoint
from gradient_async.testing.endpoints.embeddings import EMBEDDINGS_REQUEST, embeddings_body
from gradient_async.testing.endpoints.responses import ResponsesEndpoint
from gradient_async.testing.endpoints.validator import Rule, find_problem
from gradient_async.testing.model.token_counter import content_text
from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import Response

_MESSAGES = Rule(
    kind="object",
    fields={
        "model": Rule(kind="string", required=True, low=1),
        "max_tokens": Rule(kind="integer", required=True, low=1),
        "messages": Rule(kind="array", required=True, low=1, members=Rule(kind="object")),
        "temperature": Rule(kind="number", low=0, high=1),
        "stop_sequences": Rule(kind="array", members=Rule(kind="string")),
    },
)
_STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}
_MAX_CHARACTERS = 20_000
"""The number of characters of each text that are read."""


@attrs.frozen
class LineWorker:
    """Executes requests of every batch endpoint."""

    chat: ChatEndpoint
    responses: ResponsesEndpoint

    def execute_request(self, endpoint: str, body: Mapping[str, Any], request_id: str, now: float) -> Outcome:
        """Execute the request of one line; an unexpected exception gives a 500.

        Args:
            endpoint: The path of the endpoint.
            body: The body of the request.
            request_id: The id of the request.
            now: The time in epoch seconds.
        """
        try:
            return self._execute_unguarded(endpoint, body, request_id=request_id, now=now)
        except Exception as error:  # noqa: BLE001 - an unexpected request must not end the job
            return Outcome(status=500, code="server_error", message=f"Unexpected server-side error: {error!r}")

    def _execute_unguarded(self, endpoint: str, body: Mapping[str, Any], *, request_id: str, now: float) -> Outcome:
        if str(body.get("model")).startswith("fail-"):
            return _failed_outcome(404, f"The model {body['model']!r} does not exist.")
        if body.get("stream"):
            return _failed_outcome(400, "stream is not supported in a batch.")
        request = RecordedRequest(method="POST", path=endpoint, json=_clip_text(body), time=now, request_id=request_id)
        executors: Mapping[str, Callable[[RecordedRequest], Outcome]] = {
            "/v1/embeddings": _embed_texts,
            "/v1/messages": self._complete_message,
            "/v1/responses": self._create_response,
        }
        return executors.get(endpoint, self._complete_chat)(request)

    def _complete_chat(self, request: RecordedRequest) -> Outcome:
        if refusal := self.chat.check_chat(request):
            return _failed_outcome(refusal.status, _decode_body(refusal)["message"])
        return Outcome(status=200, body=_decode_body(self.chat.complete_chat(request, None)))

    def _create_response(self, request: RecordedRequest) -> Outcome:
        if refusal := self.responses.check_response(request):
            return _failed_outcome(refusal.status, _decode_body(refusal)["message"])
        return Outcome(status=200, body=_decode_body(self.responses.create_response(request, None)))

    def _complete_message(self, request: RecordedRequest) -> Outcome:
        if problem := find_problem(request.json, _MESSAGES):
            return _failed_outcome(400, problem)
        outcome = self._complete_chat(attrs.evolve(request, json=_to_chat_body(request.fields)))
        return attrs.evolve(outcome, body=_to_message(outcome.body)) if outcome.ok else outcome


def _clip_text(value: Any) -> Any:
    if isinstance(value, str):
        return value[:_MAX_CHARACTERS]
    if isinstance(value, list):
        return [_clip_text(item) for item in value]
    return {name: _clip_text(item) for name, item in value.items()} if isinstance(value, dict) else value


def _decode_body(response: Response) -> Any:
    return json.loads(response.body or b"null")


def _failed_outcome(status: int, message: str) -> Outcome:
    return Outcome(status=status, code={404: "model_not_found"}.get(status, "invalid_request"), message=message)


def _to_chat_body(fields: Mapping[str, Any]) -> dict[str, Any]:
    system = [{"role": "system", "content": content_text(fields["system"])}] if "system" in fields else []
    messages = [
        {"role": message.get("role"), "content": content_text(message.get("content"))} for message in fields["messages"]
    ]
    tools = [_to_chat_tool(tool) for tool in fields.get("tools") or ()]
    shared_fields = {name: fields[name] for name in ("model", "max_tokens", "temperature", "top_p") if name in fields}
    optional = {"stop": list(fields.get("stop_sequences") or ())[:4], "tools": tools}
    return {
        **shared_fields,
        "messages": system + messages,
        **{name: value for name, value in optional.items() if value},
    }


def _to_chat_tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    function = {"name": tool.get("name"), "parameters": tool.get("input_schema", {})}
    return {"type": "function", "function": function | {"description": tool.get("description", "")}}


def _to_message(completion: Mapping[str, Any]) -> dict[str, Any]:
    choice, usage = completion["choices"][0], completion["usage"]
    text = choice["message"]["content"]
    blocks = [{"type": "text", "text": text}] if text is not None else []
    for call in choice["message"].get("tool_calls", ()):
        function = call["function"]
        call_fields = {"name": function["name"], "input": json.loads(function["arguments"])}
        blocks.append({"type": "tool_use", "id": call["id"], **call_fields})
    return {
        "id": completion["id"].replace("chatcmpl-", "msg_"),
        "type": "message",
        "role": "assistant",
        "model": completion["model"],
        "content": blocks,
        "stop_reason": _STOP_REASONS.get(choice["finish_reason"], "end_turn"),
        "stop_sequence": None,
        "usage": {
            "input_tokens": usage["prompt_tokens"],
            "output_tokens": usage["completion_tokens"],
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
        },
    }


def _embed_texts(request: RecordedRequest) -> Outcome:
    if problem := find_problem(request.json, EMBEDDINGS_REQUEST):
        return _failed_outcome(400, problem)
    return Outcome(status=200, body=embeddings_body(request.fields))
