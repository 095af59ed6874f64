"""Chat completions, of the serverless host and of agents.

Contract: pure, but for the token counter. The content of a stream equals that of the unstreamed response.
Source: the chat completion of the Agent Inference reference and of the Inference API overview. Its example of a stream
is followed: the first delta carries the role and the first text, the last delta is empty and has the finish reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from gradient_async.testing.endpoints.chat_chunks import build_chunks, format_logprobs
from gradient_async.testing.endpoints.chat_schema import (
    AGENT,
    CHAT,
    find_chat_problem,
    find_messages_problem,
    keep_valid_fields,
)
from gradient_async.testing.endpoints.checks import reject_malformed, reject_request
from gradient_async.testing.endpoints.text_generation import (
    TextGenerationEndpoint,
    override_usage,
    pick_fields,
    read_schema,
    read_stop,
    read_token_limit,
    read_tool,
)
from gradient_async.testing.model.prompt import (
    Completion,
    Message,
    Prompt,
    join_tokens,
    override_completion,
    scripted_completion,
)
from gradient_async.testing.model.token_counter import content_text
from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import DONE, Reply, Response, apply_reply, encode_event, event_stream, json_response

_PROMPT_FIELDS = ("model", "temperature", "top_p", "frequency_penalty", "presence_penalty", "seed")


@attrs.frozen(kw_only=True)
class ChatEndpoint(TextGenerationEndpoint):
    """The chat completions of the serverless and of the agent host.

    Attributes:
        lenient_agent: Whether an agent takes requests as live agents do: without ``agent=true``, with any ``model``,
            and with fields that the reference does not allow, which it ignores.
        agent_model: The model that a lenient agent names.
    """

    lenient_agent: bool = False
    agent_model: str = "agent"

    def check_chat(self, request: RecordedRequest) -> Response | None:
        """Build the error response to a malformed serverless request; None for a well-formed one."""
        return reject_request(request, find_chat_problem(request.json, CHAT), self.known)

    def check_agent_chat(self, request: RecordedRequest) -> Response | None:
        """Build the error response to a malformed agent request; None for a well-formed one."""
        if self.lenient_agent:
            return reject_malformed(request, find_messages_problem(request.json))
        if request.query.get("agent") != "true":
            return reject_malformed(request, "The query parameter agent must be true.")
        return reject_malformed(request, find_chat_problem(request.json, AGENT))

    def complete_chat(self, request: RecordedRequest, reply: Reply | None) -> Response:
        """Respond to a serverless request."""
        return self._build_response(request, request.fields, reply, {})

    def complete_agent_chat(self, request: RecordedRequest, reply: Reply | None) -> Response:
        """Respond to an agent request, with the requested info on retrieval, functions and guardrails."""
        fields = request.fields
        if self.lenient_agent:
            fields = {**keep_valid_fields(fields), "model": self.agent_model}
        return self._build_response(request, fields, reply, _agent_fields(fields))

    def _build_response(
        self, request: RecordedRequest, fields: Mapping[str, Any], reply: Reply | None, extras: Mapping[str, Any]
    ) -> Response:
        completions = self._complete_choices(fields, reply)
        usage = override_usage(self._token_counter.count_usage(fields["messages"], completions), reply)
        head = {
            "id": f"chatcmpl-{request.short_id}",
            "object": "chat.completion",
            "created": int(request.time),
            "model": fields.get("model", ""),
        }
        if request.streams:
            chunks = build_chunks(head, fields, completions, usage=usage, extras=extras)
            return apply_reply(reply, event_stream((*(encode_event(chunk) for chunk in chunks), DONE)))
        choices = [_format_choice(index, completion, fields) for index, completion in enumerate(completions)]
        return apply_reply(reply, json_response({**head, "choices": choices, "usage": usage, **extras}))

    def _complete_choices(self, fields: Mapping[str, Any], reply: Reply | None) -> list[Completion]:
        count = fields.get("n") or 1
        if reply and (scripted := scripted_completion(reply)):
            return [scripted] * count
        prompt = read_prompt(fields)
        seeds = (prompt.seed * 1000 + index for index in range(count))
        completions = [self.model.complete_prompt(attrs.evolve(prompt, seed=seed)) for seed in seeds]
        return [override_completion(completion, reply) for completion in completions] if reply else completions


def read_prompt(fields: Mapping[str, Any]) -> Prompt:
    """Translate the body of a request to a prompt."""
    effort, choice = fields.get("reasoning_effort"), fields.get("tool_choice") or "auto"
    response_format = fields.get("response_format") or {}
    return Prompt(
        messages=[
            Message(role=message["role"], text=content_text(message.get("content"))) for message in fields["messages"]
        ],
        tools=[read_tool(tool["function"]) for tool in fields.get("tools") or () if "function" in tool],
        tool_choice=choice if isinstance(choice, str) else choice["function"]["name"],
        schema=read_schema(response_format, response_format.get("json_schema", {})),
        effort=None if effort in (None, "none") else effort,
        max_tokens=read_token_limit(fields, "max_tokens", "max_completion_tokens"),
        stop=read_stop(fields),
        **pick_fields(fields, *_PROMPT_FIELDS),
    )


def _format_choice(index: int, completion: Completion, fields: Mapping[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": completion.content,
        "refusal": None,
        "reasoning_content": join_tokens(completion.reasoning) or None,
    }
    if completion.calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in completion.calls
        ]
    return {
        "index": index,
        "finish_reason": completion.finish_reason,
        "message": message,
        "logprobs": format_logprobs(completion.tokens, fields),
    }


def _agent_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the agent's top-level fields; those that are not requested are null."""
    tools = [tool["function"]["name"] for tool in fields.get("tools") or () if "function" in tool]
    document = {"id": "doc-1", "index": "emulated", "score": 0.9, "page_content": read_prompt(fields).question}
    available = {
        "retrieval": {"retrieved_data": [document]},
        "functions": {"called_functions": tools},
        "guardrails": {"triggered_guardrails": []},
    }
    return {name: value if fields.get(f"include_{name}_info") else None for name, value in available.items()}
