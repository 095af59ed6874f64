"""OpenTelemetry: a span and metrics for every call, in the terms of its conventions for generative AI.

    session = AsyncSession(hooks=[Telemetry()])

Contract: no prompt, no answer and no key is recorded. A span begins with the call and ends with its answer or with its
stream, whichever way that ends; it is a child of the span that was current when the call began. Every attempt is an
event of it. Needs the extra ``gradient-async[otel]``; the application configures the SDK.

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
_OPERATIONS = {
    "/api/v1/chat/completions": "invoke_agent",
    "/v1/chat/completions": "chat",
    "/v1/messages": "chat",
    "/v1/responses": "chat",
    "/v1/embeddings": "embeddings",
    "/v1/images/generations": "generate_content",
    "/v1/async-invoke": "generate_content",
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
"""Where each hook notes the attempts of the call that this context is in."""


class Telemetry:
    """A hook of a session that reports its calls.

    Args:
        tracer_provider: Where spans go; default: the global one.
        meter_provider: Where metrics go; default: the global one.
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
            description="How long a call took.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._first = meter.create_histogram(
            "gen_ai.client.operation.time_to_first_chunk",
            unit="s",
            description="How long the first chunk of a stream took.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            unit="{token}",
            description="How many tokens a call took and gave.",
            explicit_bucket_boundaries_advisory=_TOKENS,
        )

    def begin_call(self, call: CallDetails) -> Callable[[CallOutcome], None] | None:
        """Begin the span of *call* if it asks a model or an agent."""
        operation = _operation(call)
        if operation is None:
            self._in_span(None)
            return None
        common = _common(call, operation)
        name = " ".join(filter(None, (operation, call.model)))
        attributes = common | dict(_asked(call.params))
        span = self._tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes)
        self._in_span(span)
        return _End(self, span, common)

    def __call__(self, attempt: AttemptDetails) -> None:
        """Note *attempt* in the span of its call."""
        span = _spans_of_call.get().get(self)
        if span is not None:
            span.add_event("gradient.attempt", dict(_tried(attempt)))

    def _in_span(self, span: Span | None) -> None:
        """Let what is attempted from here on belong to *span*; a context that lives on keeps no hook alive."""
        spans = WeakKeyDictionary(_spans_of_call.get())
        spans[self] = span
        _spans_of_call.set(spans)

    def record(self, call: CallOutcome, common: Mapping[str, Any]) -> None:
        """Count a call that has ended."""
        attributes = dict(common) | _error_type(call)
        self._duration.record(call.elapsed, attributes)
        timings = getattr(getattr(call.result, "meta", None), "timings", None)
        if timings is not None and timings.first_token is not None:
            self._first.record(timings.first_token, attributes)
        for kind, count in _usage(call.result).items():
            self._tokens.record(count, {**attributes, "gen_ai.token.type": kind})


@attrs.frozen
class _End:
    """Ends the span of a call."""

    telemetry: Telemetry
    span: Span
    common: Mapping[str, Any]

    def __call__(self, call: CallOutcome) -> None:
        self.span.set_attributes({**dict(_answered(call)), **_error_type(call)})
        if call.error is not None and call.outcome != "cancelled":
            message = call.error.message if isinstance(call.error, GradientError) else None
            self.span.set_status(Status(StatusCode.ERROR, message))
        self.telemetry.record(call, self.common)
        self.span.end()


def _operation(call: CallDetails) -> str | None:
    """Return the conventions' name of what *call* does, None for what generates nothing."""
    if call.method != "POST":
        return None
    return next((name for path, name in _OPERATIONS.items() if call.url.endswith(path)), None)


def _common(call: CallDetails, operation: str) -> dict[str, Any]:
    """Return what spans and metrics share."""
    url = urlsplit(call.url)
    common = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": PROVIDER,
        "server.address": url.hostname or "",
    }
    optional = {"gen_ai.request.model": call.model, "server.port": url.port}
    return common | {name: value for name, value in optional.items() if value is not None}


def _asked(params: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, attribute in _PARAMETERS.items():
        if isinstance(value := params.get(name), int | float):
            yield attribute, value
    stop = params.get("stop") or params.get("stop_sequences")
    if stop:
        yield "gen_ai.request.stop_sequences", [stop] if isinstance(stop, str) else list(stop)


def _tried(attempt: AttemptDetails) -> Iterator[tuple[str, Any]]:
    yield "gradient.attempt", attempt.attempt
    yield "gradient.limiter_wait", attempt.limiter_wait
    if attempt.status is not None:
        yield "http.response.status_code", attempt.status
    if attempt.request_id is not None:
        yield "gradient.request_id", attempt.request_id
    if attempt.error is not None:
        yield "error.type", type(attempt.error).__name__


def _answered(call: CallOutcome) -> Iterator[tuple[str, Any]]:
    answer = call.result
    yield "gradient.outcome", call.outcome
    for attribute, field in (("gen_ai.response.id", "id"), ("gen_ai.response.model", "model")):
        if isinstance(value := getattr(answer, field, None), str) and value:
            yield attribute, value
    if reasons := _finish_reasons(answer):
        yield "gen_ai.response.finish_reasons", reasons
    for kind, count in _usage(answer).items():
        yield f"gen_ai.usage.{kind}_tokens", count


def _finish_reasons(answer: Any) -> list[str]:
    """Return how the choices of an answer ended, or the whole of one that has no choices."""
    choices = getattr(answer, "choices", None) or ()
    reasons = [choice.finish_reason for choice in choices] or [getattr(answer, "stop_reason", None)]
    return [reason for reason in reasons if isinstance(reason, str)]


def _usage(answer: Any) -> dict[str, int]:
    """Return the tokens that went in and came out, under whichever names the answer has them.

    The conventions count cached tokens as input, as every API does but that of messages.
    """
    usage = getattr(answer, "usage", None)
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
