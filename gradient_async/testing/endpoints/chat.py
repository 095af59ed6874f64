"""Chat completions, serverless and agent.

Contract: pure. The same request is answered the same way, streamed or not.
Source: the chat completion of the Agent Inference reference and of the Inference API overview, whose example
of a stream is followed: the first delta carries the role and the first text, the last is empty and has the
finish reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import attrs

from gradient_async.testing.endpoints.chat_chunks import chunks, logprobs
from gradient_async.testing.endpoints.chat_schema import AGENT, CHAT, chat_fault
from gradient_async.testing.endpoints.checks import malformed, unknown_model
from gradient_async.testing.model.prompt import Message, Prompt, Tool, Turn, joined, restyled, scripted
from gradient_async.testing.model.token_counter import Meter, text_of
from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import DONE, SSE, Answer, Reply, event, json_answer


class Model(Protocol):
    """Whatever takes a prompt and gives a turn."""

    def turn(self, prompt: Prompt) -> Turn:
        """Answer *prompt*; the same prompt always has the same answer."""


@attrs.frozen(kw_only=True)
class Chat:
    """The endpoint's decisions.

    Attributes:
        model: What answers where nothing is scripted.
        known: The slugs of the models that exist; None if all do.
    """

    model: Model
    known: Sequence[str] | None = None
    _meter: Meter = attrs.field(factory=Meter, init=False)

    def check(self, request: RecordedRequest) -> Answer | None:
        """Answer a malformed serverless request; None if it is well-formed."""
        return malformed(request, chat_fault(request.json, CHAT)) or unknown_model(request, self.known)

    def check_agent(self, request: RecordedRequest) -> Answer | None:
        """Answer a malformed agent request; None if it is well-formed."""
        if request.query.get("agent") != "true":
            return malformed(request, "The query parameter agent must be true.")
        return malformed(request, chat_fault(request.json, AGENT))

    def answer(self, request: RecordedRequest, reply: Reply | None) -> Answer:
        """Answer a serverless request."""
        return self._answer(request, reply, {})

    def answer_agent(self, request: RecordedRequest, reply: Reply | None) -> Answer:
        """Answer an agent request, with what was asked of retrieval, functions and guardrails."""
        return self._answer(request, reply, _extras(request.fields))

    def _answer(self, request: RecordedRequest, reply: Reply | None, extras: Mapping[str, Any]) -> Answer:
        fields = request.fields
        turns = self._turns(fields, reply)
        usage = self._meter.usage(fields["messages"], turns) | dict((reply and reply.usage) or {})
        head = {
            "id": f"chatcmpl-{request.request_id.replace('-', '')[:24]}",
            "object": "chat.completion",
            "created": int(request.time),
            "model": fields.get("model", ""),
        }
        if request.streams:
            pieces = (
                *(event(chunk) for chunk in chunks(head, fields, turns, usage=usage, extras=extras)),
                DONE,
            )
            answer = Answer(pieces=pieces, content_type=SSE, headers={"cache-control": "no-cache"})
        else:
            answer = json_answer(_completion(head, fields, turns, usage) | dict(extras))
        return reply.style(answer) if reply else answer

    def _turns(self, fields: Mapping[str, Any], reply: Reply | None) -> list[Turn]:
        count = fields.get("n") or 1
        if reply and (turn := scripted(reply)):
            return [turn] * count
        wanted = prompt(fields)
        seeds = (wanted.seed * 1000 + index for index in range(count))
        turns = [self.model.turn(attrs.evolve(wanted, seed=seed)) for seed in seeds]
        return [restyled(turn, reply) for turn in turns] if reply else turns


def prompt(fields: Mapping[str, Any]) -> Prompt:
    """Translate the body of a request."""
    set_fields = {name: value for name, value in fields.items() if value is not None}
    plain = ("model", "temperature", "top_p", "frequency_penalty", "presence_penalty", "seed")
    limits = [set_fields[name] for name in ("max_tokens", "max_completion_tokens") if name in set_fields]
    stop = set_fields.get("stop", ())
    effort = set_fields.get("reasoning_effort", "none")
    return Prompt(
        messages=[
            Message(role=message["role"], text=text_of(message.get("content"))) for message in fields["messages"]
        ],
        tools=[_tool(tool["function"]) for tool in set_fields.get("tools", ()) if "function" in tool],
        tool_choice=_tool_choice(set_fields.get("tool_choice", "auto")),
        schema=_schema(set_fields.get("response_format", {})),
        effort=None if effort == "none" else effort,
        max_tokens=min(limits, default=None),
        stop=[stop] if isinstance(stop, str) else stop,
        **{name: set_fields[name] for name in plain if name in set_fields},
    )


def _tool(function: Mapping[str, Any]) -> Tool:
    return Tool(
        name=function["name"],
        description=function.get("description", ""),
        parameters=function.get("parameters", {}),
    )


def _tool_choice(choice: str | Mapping[str, Any]) -> str:
    return choice if isinstance(choice, str) else str(choice["function"]["name"])


def _schema(response_format: Mapping[str, Any]) -> Mapping[str, Any] | None:
    kind = response_format.get("type", "text")
    if kind == "text":
        return None
    schema: Mapping[str, Any] = response_format.get("json_schema", {}).get("schema", {})
    return schema


def _completion(
    head: Mapping[str, Any], fields: Mapping[str, Any], turns: Sequence[Turn], usage: Mapping[str, Any]
) -> dict[str, Any]:
    choices = [_choice(index, turn, fields) for index, turn in enumerate(turns)]
    return {**head, "choices": choices, "usage": usage}


def _choice(index: int, turn: Turn, fields: Mapping[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": turn.content,
        "refusal": None,
        "reasoning_content": joined(turn.reasoning) or None,
    }
    if turn.calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in turn.calls
        ]
    return {
        "index": index,
        "finish_reason": turn.finish_reason,
        "message": message,
        "logprobs": logprobs(turn.tokens, fields),
    }


def _extras(fields: Mapping[str, Any]) -> dict[str, Any]:
    tools = [tool["function"]["name"] for tool in fields.get("tools") or () if "function" in tool]
    document = {"id": "doc-1", "index": "emulated", "score": 0.9, "page_content": prompt(fields).question}
    found = {
        "retrieval": {"retrieved_data": [document]},
        "functions": {"called_functions": tools},
        "guardrails": {"triggered_guardrails": []},
    }
    return {name: value if fields.get(f"include_{name}_info") else None for name, value in found.items()}
