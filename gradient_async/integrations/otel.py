"""OpenTelemetry: a span and metrics for every call, by the semantic conventions for generative AI.

    session = AsyncSession(hooks=[Telemetry()])

Contract: prompts, completions and keys are never recorded. A span begins with the call and ends with its response or
with the end of its stream; its parent is the span that was current when the call began. Each attempt is an event of the
span. Needs the extra ``gradient-async[otel]``; the application configures the SDK.

Source: OpenTelemetry's semantic conventions for generative AI clients, which are still in development.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

try:
    from opentelemetry import metrics, trace
    from opentelemetry.trace import Span, SpanKind, Status, StatusCode
except ImportError as error:
    raise ImportError("OpenTelemetry is missing: pip install 'gradient-async[otel]'") from error

import attrs

from gradient_async import AttemptDetails, CallDetails, CallOutcome, GradientError, __version__
from gradient_async.models.messages import MessageUsage

PROVIDER = "digitalocean.gradient"
_NAME = "gradient_async"
_CHAT = "/v1/chat/completions"
_OPERATIONS = {
    f"/api{_CHAT}": "invoke_agent",
    _CHAT: "chat",
    "/v1/messages": "chat",
    "/v1/responses": "chat",
    "/v1/embeddings": "embeddings",
    "/v1/images/generations": "generate_content",
    "/v1/async-invoke": "generate_content",
    "/v1/audio/speech": "generate_content",
    "/v1/videos": "generate_content",
}
_PARAMETERS = {
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "max_completion_tokens": "gen_ai.request.max_tokens",
    "max_output_tokens": "gen_ai.request.max_tokens",
    "max_tokens": "gen_ai.request.max_tokens",
    "n": "gen_ai.request.choice.count",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "seed": "gen_ai.request.seed",
    "temperature": "gen_ai.request.temperature",
    "top_k": "gen_ai.request.top_k",
    "top_p": "gen_ai.request.top_p",
}
_COUNTS = {
    "prompt_tokens": "input",
    "input_tokens": "input",
    "completion_tokens": "output",
    "output_tokens": "output",
}
_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_TOKENS = tuple(4**power for power in range(14))
_spans_of_call: ContextVar[Mapping[Telemetry, Span | None]] = ContextVar(
    "gradient_async_spans", default=MappingProxyType({})
)
"""Span of the current call, for each hook in this context."""


class Telemetry:
    """Session hook that reports calls to OpenTelemetry.

    Args:
        tracer_provider: Provider of the tracer for spans; default: the global one.
        meter_provider: Provider of the meter for metrics; default: the global one.

    Example:
        ``session = AsyncSession(hooks=[Telemetry()])``
    """

    def __init__(
        self,
        *,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
    ) -> None:
        self._tracer = trace.get_tracer(_NAME, __version__, tracer_provider)
        meter = metrics.get_meter(_NAME, __version__, meter_provider)
        self._duration = meter.create_histogram(
            "gen_ai.client.operation.duration",
            unit="s",
            description="Duration of a call.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._time_to_first_chunk = meter.create_histogram(
            "gen_ai.client.operation.time_to_first_chunk",
            unit="s",
            description="Time to the first chunk of a stream.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            unit="{token}",
            description="Input and output tokens of a call.",
            explicit_bucket_boundaries_advisory=_TOKENS,
        )

    def begin_call(self, call: CallDetails) -> Callable[[CallOutcome], None] | None:
        """Begin the span of *call* if it is for a model or an agent."""
        operation = _operation_name(call)
        if operation is None:
            self._set_span(None)
            return None
        common = _common_attributes(call, operation)
        name = " ".join(filter(None, (operation, call.model)))
        attributes = common | dict(_request_attributes(call.params))
        span = self._tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes)
        self._set_span(span)
        return _SpanEnd(self, span, common)

    def __call__(self, attempt: AttemptDetails) -> None:
        """Add *attempt* as an event to the span of its call."""
        span = _spans_of_call.get().get(self)
        if span is not None:
            span.add_event("gradient.attempt", dict(_attempt_attributes(attempt)))

    def _set_span(self, span: Span | None) -> None:
        """Make *span* the span of the attempts in this context; weak keys: a long-lived context keeps no hook alive."""
        spans = WeakKeyDictionary(_spans_of_call.get())
        spans[self] = span
        _spans_of_call.set(spans)

    def record_metrics(self, call: CallOutcome, common: Mapping[str, Any]) -> None:
        """Record duration, time to first chunk and tokens of a finished call."""
        attributes = dict(common) | _error_type(call)
        self._duration.record(call.elapsed, attributes)
        timings = getattr(getattr(call.result, "meta", None), "timings", None)
        if timings is not None and timings.first_token is not None:
            self._time_to_first_chunk.record(timings.first_token, attributes)
        for kind, count in _token_counts(call.result).items():
            self._tokens.record(count, {**attributes, "gen_ai.token.type": kind})


@attrs.frozen
class _SpanEnd:
    """Ends the span of a call and records its metrics."""

    telemetry: Telemetry
    span: Span
    common: Mapping[str, Any]

    def __call__(self, call: CallOutcome) -> None:
        self.span.set_attributes({**dict(_response_attributes(call)), **_error_type(call)})
        if call.error is not None and call.outcome != "cancelled":
            message = call.error.message if isinstance(call.error, GradientError) else None
            self.span.set_status(Status(StatusCode.ERROR, message))
        self.telemetry.record_metrics(call, self.common)
        self.span.end()


def _operation_name(call: CallDetails) -> str | None:
    """Return the name of the operation in the conventions, None for a call that generates nothing."""
    if call.method != "POST":
        return None
    is_agent = call.model is None and call.url.endswith(_CHAT)  # an agent may be called at this path too
    return (
        "invoke_agent"
        if is_agent
        else next((_OPERATIONS[path] for path in _OPERATIONS if call.url.endswith(path)), None)
    )


def _common_attributes(call: CallDetails, operation: str) -> dict[str, Any]:
    """Return the attributes of both spans and metrics."""
    url = urlsplit(call.url)
    common = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": PROVIDER,
        "server.address": url.hostname or "",
    }
    optional = {"gen_ai.request.model": call.model, "server.port": url.port}
    return common | {name: value for name, value in optional.items() if value is not None}


def _request_attributes(params: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, attribute in _PARAMETERS.items():
        if isinstance(value := params.get(name), int | float):
            yield attribute, value
    stop = params.get("stop") or params.get("stop_sequences")
    if stop:
        yield "gen_ai.request.stop_sequences", [stop] if isinstance(stop, str) else list(stop)


def _attempt_attributes(attempt: AttemptDetails) -> Iterator[tuple[str, Any]]:
    yield "gradient.attempt", attempt.attempt
    yield "gradient.limiter_wait", attempt.limiter_wait
    if attempt.status is not None:
        yield "http.response.status_code", attempt.status
    if attempt.request_id is not None:
        yield "gradient.request_id", attempt.request_id
    if attempt.error is not None:
        yield "error.type", type(attempt.error).__name__


def _response_attributes(call: CallOutcome) -> Iterator[tuple[str, Any]]:
    result = call.result
    yield "gradient.outcome", call.outcome
    for attribute, field in (("gen_ai.response.id", "id"), ("gen_ai.response.model", "model")):
        if isinstance(value := getattr(result, field, None), str) and value:
            yield attribute, value
    choices = getattr(result, "choices", None) or ()
    reasons = [choice.finish_reason for choice in choices] or [getattr(result, "stop_reason", None)]
    if known := [reason for reason in reasons if isinstance(reason, str)]:
        yield "gen_ai.response.finish_reasons", known
    for kind, count in _token_counts(result).items():
        yield f"gen_ai.usage.{kind}_tokens", count


def _token_counts(result: Any) -> dict[str, int]:
    """Return the input and output tokens of a result.

    The conventions count cached tokens as input. So does every API except that of messages.
    """
    usage = getattr(result, "usage", None)
    counts: dict[str, int] = {}
    for name, kind in _COUNTS.items():
        if isinstance(count := getattr(usage, name, None), int):
            counts[kind] = count
    if isinstance(usage, MessageUsage):
        counts["input"] += (usage.cache_creation_input_tokens or 0) + (usage.cache_read_input_tokens or 0)
    return counts


def _error_type(call: CallOutcome) -> dict[str, str]:
    if call.error is None:
        return {}
    return {"error.type": str(getattr(call.error, "status", type(call.error).__name__))}
