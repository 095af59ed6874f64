"""How one line of a batch is answered: by the emulator's own chat, whatever the endpoint.

Contract: deterministic; the answer to a chat line is the one that a call with the same body gets, but that
only the beginning of a very long text is read, so that no line takes long. Scripted replies are meant for
calls and are not used up. A model whose name begins with ``fail-`` does not exist.
Source: the endpoints of the Batch Inference reference; the Anthropic Messages API for its request and answer;
the embeddings object of the OpenAI API.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from gradient_async.testing.batch.lines import Outcome
from gradient_async.testing.endpoints.chat import Chat
from gradient_async.testing.endpoints.embeddings import EMBEDDINGS, embedded
from gradient_async.testing.endpoints.validator import Rule, fault
from gradient_async.testing.model.token_counter import text_of
from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import Answer

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
_READ = 20_000
"""Characters of a text that are read."""


@attrs.frozen
class Worker:
    """Answers requests of every endpoint that batches have."""

    chat: Chat

    def answer(self, endpoint: str, body: Mapping[str, Any], request_id: str, now: float) -> Outcome:
        """Answer the request of one line, with a 500 if that cannot be done."""
        try:
            return self._answer(endpoint, body, request_id=request_id, now=now)
        except Exception as error:  # noqa: BLE001 - one odd request must not end the job
            return Outcome(status=500, code="server_error", message=f"Unexpected server-side error: {error!r}")

    def _answer(self, endpoint: str, body: Mapping[str, Any], *, request_id: str, now: float) -> Outcome:
        if str(body.get("model")).startswith("fail-"):
            return _refused(404, f"The model {body['model']!r} does not exist.")
        if body.get("stream"):
            return _refused(400, "stream is not supported in a batch.")
        request = RecordedRequest(method="POST", path=endpoint, json=_clipped(body), time=now, request_id=request_id)
        answers: Mapping[str, Callable[[RecordedRequest], Outcome]] = {
            "/v1/embeddings": _embed,
            "/v1/messages": self._message,
        }
        return answers.get(endpoint, self._complete)(request)

    def _complete(self, request: RecordedRequest) -> Outcome:
        if malformed := self.chat.check(request):
            return _refused(malformed.status, _decoded(malformed)["message"])
        return Outcome(status=200, body=_decoded(self.chat.answer(request, None)))

    def _message(self, request: RecordedRequest) -> Outcome:
        if problem := fault(request.json, _MESSAGES):
            return _refused(400, problem)
        asked = attrs.evolve(request, json=_as_chat(request.fields))
        outcome = self._complete(asked)
        return attrs.evolve(outcome, body=_as_message(outcome.body)) if outcome.ok else outcome


def _clipped(value: Any) -> Any:
    if isinstance(value, str):
        return value[:_READ]
    if isinstance(value, list):
        return [_clipped(item) for item in value]
    return {name: _clipped(item) for name, item in value.items()} if isinstance(value, dict) else value


def _decoded(answer: Answer) -> Any:
    return json.loads(answer.whole or b"null")


def _refused(status: int, message: str) -> Outcome:
    return Outcome(status=status, code={404: "model_not_found"}.get(status, "invalid_request"), message=message)


def _as_chat(fields: Mapping[str, Any]) -> dict[str, Any]:
    system = [{"role": "system", "content": text_of(fields["system"])}] if "system" in fields else []
    asked = [
        {"role": message.get("role"), "content": text_of(message.get("content"))} for message in fields["messages"]
    ]
    tools = [_as_tool(tool) for tool in fields.get("tools") or ()]
    same = {name: fields[name] for name in ("model", "max_tokens", "temperature", "top_p") if name in fields}
    optional = {"stop": list(fields.get("stop_sequences") or ())[:4], "tools": tools}
    return {**same, "messages": system + asked, **{name: value for name, value in optional.items() if value}}


def _as_tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    function = {"name": tool.get("name"), "parameters": tool.get("input_schema", {})}
    return {"type": "function", "function": function | {"description": tool.get("description", "")}}


def _as_message(completion: Mapping[str, Any]) -> dict[str, Any]:
    choice, usage = completion["choices"][0], completion["usage"]
    text = choice["message"]["content"]
    blocks = [{"type": "text", "text": text}] if text is not None else []
    for call in choice["message"].get("tool_calls", ()):
        function = call["function"]
        said = {"name": function["name"], "input": json.loads(function["arguments"])}
        blocks.append({"type": "tool_use", "id": call["id"], **said})
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


def _embed(request: RecordedRequest) -> Outcome:
    if problem := fault(request.json, EMBEDDINGS):
        return _refused(400, problem)
    return Outcome(status=200, body=embedded(request.fields))
