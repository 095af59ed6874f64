"""Conversion of completions and chat streams to Pydantic AI's responses.

Contract: reasoning becomes a thinking part, whether it comes in its own field or in the text between the thinking tags
of the model's profile. A cancelled stream ends cleanly with the partial response. Fields without a place in the
framework, as thought signatures and reasoning details, are in the ``provider_details`` of the response (``extra``) and
of its tool calls.

Source: ``pydantic_ai.models.StreamedResponse``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic_ai.messages import (
    FinishReason,
    ModelResponse,
    ModelResponsePart,
    ModelResponseStreamEvent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from pydantic_ai.models import StreamedResponse
from pydantic_ai.profiles import DEFAULT_THINKING_TAGS, ModelProfile
from pydantic_ai.usage import RequestUsage

from gradient_async._io.stream.chat_stream import ChatStream
from gradient_async._protocol.stream.tool_call_assembler import ToolCallDeltaRouter
from gradient_async.integrations._extra_fields import collect_message_fields, list_call_fields
from gradient_async.integrations._portal import BridgedStream
from gradient_async.integrations._provider import PROVIDER
from gradient_async.integrations._usage import token_details
from gradient_async.integrations.pydantic_ai.errors import translate_errors
from gradient_async.models.chat import ChatCompletion, Usage
from gradient_async.models.chat_chunk import Delta

_FINISH_REASONS: dict[str | None, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_call",
    "content_filter": "content_filter",
}


def model_response(completion: ChatCompletion, *, model: str, profile: ModelProfile) -> ModelResponse:
    """Convert a whole *completion*; *model* is the model name if the completion has none."""
    return ModelResponse(
        parts=list(_response_parts(completion, profile)),
        usage=_request_usage(completion.usage),
        model_name=completion.model or model,
        provider_name=PROVIDER,
        provider_response_id=completion.id or None,
        provider_details=_provider_details(completion),
        finish_reason=_finish_reason(completion),
    )


@dataclass(kw_only=True)
class GradientStreamedResponse(StreamedResponse):
    """Converts the chunks of a `ChatStream` to events of Pydantic AI."""

    _stream: ChatStream | BridgedStream
    _model: str
    _profile: ModelProfile
    _router: ToolCallDeltaRouter = field(default_factory=ToolCallDeltaRouter, init=False)
    _usage_received: bool | None = field(default=False, init=False)
    _started_at: datetime = field(default_factory=lambda: datetime.now(UTC), init=False)

    async def _get_event_iterator(self) -> AsyncIterator[ModelResponseStreamEvent]:
        self.provider_details = _provider_details(
            self._stream.snapshot
        )  # the request id, in case the stream breaks off
        with translate_errors(self._model, in_stream=True):
            async for chunk in self._stream:
                self._model = chunk.model or self._model
                self.provider_response_id = chunk.id or self.provider_response_id
                for event in self._convert_delta(chunk.delta):
                    yield event
        for position, arguments in self._router.take_held().items():
            for event in self._parts_manager.handle_tool_call_delta_events(vendor_part_id=position, args=arguments):
                yield event
        completion = self._stream.snapshot
        self._add_usage(_request_usage(completion.usage), reported=completion.usage is not None)
        self.provider_details = _provider_details(completion)
        self.finish_reason = _finish_reason(completion)

    def _convert_delta(self, delta: Delta) -> Iterator[ModelResponseStreamEvent]:
        if reasoning := delta.reasoning_content or delta.reasoning:
            yield from self._parts_manager.handle_thinking_delta(
                vendor_part_id=None, content=reasoning, provider_name=PROVIDER
            )
        if delta.content:
            yield from self._parts_manager.handle_text_delta(
                vendor_part_id="content",
                content=delta.content,
                thinking_tags=self._profile.get("thinking_tags", DEFAULT_THINKING_TAGS),
                ignore_leading_whitespace=self._profile.get("ignore_streamed_leading_whitespace", False),
            )
        for call in self._router.route_deltas(delta.tool_calls or []):
            yield from self._parts_manager.handle_tool_call_delta_events(
                vendor_part_id=call.position,
                tool_name=call.name,
                args=call.arguments,
                tool_call_id=call.id,
                provider_name=None if call.extra is None else PROVIDER,
                provider_details=call.extra,
            )

    async def close_stream(self) -> None:
        """Cancel the stream and release its connection; iteration ends cleanly."""
        self._stream.cancel()

    @property
    def model_name(self) -> str:
        """Name of the model in the chunks, else the requested name."""
        return self._model

    @property
    def provider_name(self) -> str:
        """``"digitalocean.gradient"``."""
        return PROVIDER

    @property
    def provider_url(self) -> None:
        """Always None: the address of an agent may be private."""
        return

    @property
    def timestamp(self) -> datetime:
        """Time at which the response was created."""
        return self._started_at


def _response_parts(completion: ChatCompletion, profile: ModelProfile) -> Iterator[ModelResponsePart]:
    thinking, text = _split_thinking(completion.text, profile.get("thinking_tags", DEFAULT_THINKING_TAGS))
    if reasoning := completion.reasoning or thinking:
        yield ThinkingPart(reasoning, provider_name=PROVIDER)
    if text:
        yield TextPart(text)
    for call in completion.tool_calls:
        part = ToolCallPart(call.function.name, call.function.arguments)  # has an id, in case the call has none
        part.tool_call_id = call.id or part.tool_call_id
        if fields := list_call_fields(call):
            part.provider_name, part.provider_details = PROVIDER, fields
        yield part


def _split_thinking(text: str, tags: tuple[str, str]) -> tuple[str, str]:
    """Return the reasoning at the beginning of *text*, ``""`` if there is none, and the rest."""
    opening, closing = tags
    thinking, closed, rest = text.lstrip().removeprefix(opening).partition(closing)
    return (thinking, rest.lstrip()) if closed and text.lstrip().startswith(opening) else ("", text)


def _request_usage(usage: Usage | None) -> RequestUsage:
    if usage is None:
        return RequestUsage(unmeasured_requests=1)
    details = token_details(usage)
    return RequestUsage(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        cache_read_tokens=details.cache_read or 0,
        cache_write_tokens=details.cache_created or 0,
        output_reasoning_tokens=details.reasoning or 0,
    )


def _finish_reason(completion: ChatCompletion) -> FinishReason | None:
    return "content_filter" if completion.message.refusal else _FINISH_REASONS.get(completion.finish_reason)


def _provider_details(completion: ChatCompletion) -> dict[str, Any]:
    """Return fields without a counterpart in Pydantic AI; for an agent, also its retrieval and function calls."""
    agent_fields = {name: getattr(completion, name) for name in ("retrieval", "functions", "guardrails")}
    details = {
        "request_id": completion.meta.request_id,
        "finish_reason": completion.finish_reason,
        "refusal": completion.message.refusal,
        "extra": collect_message_fields(completion.message) or None,
        "logprobs": _list_logprobs(completion),
        "timestamp": datetime.fromtimestamp(completion.created, UTC) if completion.created else None,
        **{name: value.to_dict() for name, value in agent_fields.items() if value is not None},
    }
    return {name: value for name, value in details.items() if value is not None}


def _list_logprobs(completion: ChatCompletion) -> list[dict[str, Any]] | None:
    """Return the tokens of the text with their log probabilities, in the form of the framework's own models."""
    logprobs = completion.choices[0].logprobs if completion.choices else None
    return None if logprobs is None or not logprobs.content else [token.to_dict() for token in logprobs.content]
