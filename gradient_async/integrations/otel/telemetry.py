"""`Telemetry`: a span and metrics for every call and every tool, by the conventions for generative AI.

    session = AsyncSession(hooks=[Telemetry()])

Contract: prompts, completions and arguments are recorded if ``capture_content`` is true, keys never. The span of a call
begins with the call and ends with its response or with the end of its stream; its parent is the span that was current
when the call began, and it is current itself while the requests are made. Each attempt is an event of the span, and
each wait for the rate limiter. The application configures the SDK.

Source: https://github.com/open-telemetry/semantic-conventions-genai, release 0.1.0, still in development.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

try:
    from opentelemetry import context as otel_context
    from opentelemetry import metrics, trace
    from opentelemetry.trace import Span, SpanKind, Status, StatusCode
except ImportError as error:
    raise ImportError("OpenTelemetry is missing: pip install 'gradient-async[otel]'") from error

import attrs

from gradient_async import AttemptDetails, CallDetails, CallOutcome, GradientError, __version__
from gradient_async.integrations.otel.attributes import (
    Attributes,
    attempt_attributes,
    common_attributes,
    count_tokens,
    error_attributes,
    find_operation,
    first_chunk_seconds,
    request_attributes,
    response_attributes,
)
from gradient_async.integrations.otel.content import request_content, response_content, result_content
from gradient_async.integrations.otel.instruments import Instruments

if TYPE_CHECKING:
    from gradient_async import ToolCallDetails, ToolRunDetails, WaitDetails, WaitOutcome

_NAME = "gradient_async"
_NANOSECONDS = 1_000_000_000
_WAIT = "gradient.limiter_wait"
_BEGUN = otel_context.create_key("gradient_async_begun")
"""Key of the last span that one of these hooks has begun in a context."""
_spans_of_call: ContextVar[Mapping[Telemetry, Span | None]] = ContextVar(
    "gradient_async_spans", default=MappingProxyType({})
)
"""Span of the current call, for each hook in this context."""

End = Callable[[CallOutcome], None]


class Telemetry:
    """Session hook that reports calls and tools to OpenTelemetry.

    Args:
        tracer_provider: Provider of the tracer for spans; default: the global one.
        meter_provider: Provider of the meter for metrics; default: the global one.
        capture_content: Whether spans have the prompts and responses, the arguments and results of tools; these are
            likely to be confidential, so by default they have not.

    Example:
        ``session = AsyncSession(hooks=[Telemetry()])``
    """

    def __init__(
        self,
        *,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
        capture_content: bool = False,
    ) -> None:
        self._tracer = trace.get_tracer(_NAME, __version__, tracer_provider)
        self._instruments = Instruments(metrics.get_meter(_NAME, __version__, meter_provider))
        self._capture_content = capture_content

    def begin_call(self, call: CallDetails) -> End | None:
        """Begin the span of *call* to a model, an agent or a knowledge base, and make it current for its requests."""
        operation = find_operation(call)
        if operation is None:
            self._set_call_span(None)
            return None
        common = common_attributes(operation.name, call.model, call.url)
        attributes = common | dict(request_attributes(call, operation))
        if self._capture_content:
            attributes |= request_content(call.params)
        span, context = self._start_span(call.model, SpanKind.CLIENT, attributes)
        self._set_call_span(span)
        return _CallEnd(self._instruments, span, context, common, capture_content=self._capture_content)

    def begin_tool_run(self, run: ToolRunDetails) -> End:
        """Begin the span of a conversation with tools: the parent of its calls and tools."""
        common = common_attributes("invoke_agent", run.model)
        span, context = self._start_span(run.model, SpanKind.INTERNAL, common)
        return _OperationEnd(self._instruments, span, context, common)

    def begin_tool_call(self, call: ToolCallDetails) -> End:
        """Begin the span of one call of a tool: the parent of the spans within the tool."""
        common = common_attributes("execute_tool", None) | {
            "gen_ai.tool.name": call.name,
            "gen_ai.tool.type": "function",
        }
        attributes = common | {"gen_ai.tool.call.id": call.id}
        if call.description:
            attributes["gen_ai.tool.description"] = call.description
        if self._capture_content:
            attributes["gen_ai.tool.call.arguments"] = call.arguments
        span, context = self._start_span(call.name, SpanKind.INTERNAL, attributes)
        return _OperationEnd(self._instruments, span, context, common, capture_content=self._capture_content)

    def begin_wait(self, wait: WaitDetails) -> Callable[[WaitOutcome], None]:
        """Note the span of the call that waits for the rate limiter: a wait in vain has no attempt that tells of it."""
        span = self._get_call_span()

        def end_wait(outcome: WaitOutcome) -> None:
            if span is not None and not outcome.granted:
                span.add_event(_WAIT, {_WAIT: outcome.waited, "gradient.limit": wait.limit, "gradient.granted": False})

        return end_wait

    def __call__(self, attempt: AttemptDetails) -> None:
        """Add *attempt*, and its wait for the rate limiter, as events to the span of its call."""
        span = self._get_call_span()
        if span is None:
            return
        if attempt.limiter_wait > 0:
            ended_at = time.time_ns() - int(attempt.elapsed * _NANOSECONDS)
            attributes = {_WAIT: attempt.limiter_wait, "gradient.attempt": attempt.attempt, "gradient.granted": True}
            span.add_event(_WAIT, attributes, timestamp=ended_at)
        span.add_event("gradient.attempt", dict(attempt_attributes(attempt)))

    def _start_span(
        self, subject: str | None, kind: SpanKind, attributes: Attributes
    ) -> tuple[Span, otel_context.Context]:
        """Begin a span named after its operation and *subject*, and make it current in this context."""
        name = " ".join(filter(None, (attributes["gen_ai.operation.name"], subject)))
        outer = otel_context.get_current()
        span = self._tracer.start_span(name, context=self._find_parent(outer), kind=kind, attributes=attributes)
        context = otel_context.set_value(_BEGUN, _Begun(self, span, outer), trace.set_span_in_context(span, outer))
        otel_context.attach(context)  # without detaching: the context is that of the operation, and ends with it
        return span, context

    def _find_parent(self, context: otel_context.Context) -> otel_context.Context:
        """Return *context*, without the spans that other hooks of this class have begun.

        Two hooks report to two providers, which do not have the spans of each other.
        """
        while isinstance(begun := otel_context.get_value(_BEGUN, context), _Begun):
            if begun.hook is self or trace.get_current_span(context) is not begun.span:
                break
            context = begun.outer
        return context

    def _get_call_span(self) -> Span | None:
        return _spans_of_call.get().get(self)

    def _set_call_span(self, span: Span | None) -> None:
        """Make *span* the span of the attempts in this context; weak keys: a long-lived context keeps no hook alive."""
        spans = WeakKeyDictionary(_spans_of_call.get())
        spans[self] = span
        _spans_of_call.set(spans)


@attrs.frozen(eq=False)
class _Begun:
    """A span that *hook* has begun in the context *outer*."""

    hook: Telemetry
    span: Span
    outer: otel_context.Context


@attrs.frozen
class _OperationEnd:
    """Ends the span of an operation and records its metrics."""

    instruments: Instruments
    span: Span
    context: otel_context.Context
    common: Attributes
    capture_content: bool = attrs.field(default=False, kw_only=True)

    def __call__(self, end: CallOutcome) -> None:
        error = error_attributes(end.error)
        self.span.set_attributes({**dict(self.list_attributes(end)), **error})
        if end.error is not None and end.outcome != "cancelled":
            self.span.set_status(Status(StatusCode.ERROR, self.describe_error(end.error)))
        self.record_metrics(end, self.common | error)
        self.span.end()

    def list_attributes(self, end: CallOutcome) -> Iterable[tuple[str, Any]]:
        """Return the attributes that are known at the end."""
        yield "gradient.outcome", end.outcome
        if self.capture_content and end.result is not None and end.error is None:
            yield from result_content(end.result)

    def describe_error(self, error: BaseException) -> str | None:
        """Return the description of *error*: that of a tool may be confidential."""
        return error.message if isinstance(error, GradientError) else None

    def record_metrics(self, end: CallOutcome, attributes: Attributes) -> None:
        """Record the metrics of the operation."""
        self.instruments.record_duration(end.elapsed, attributes, self.context)


@attrs.frozen
class _CallEnd(_OperationEnd):
    """Ends the span of a call and records its metrics."""

    @property
    def counts_output(self) -> bool:
        """Whether the operation has output tokens."""
        return bool(self.common["gen_ai.operation.name"] != "embeddings")

    def list_attributes(self, end: CallOutcome) -> Iterable[tuple[str, Any]]:
        yield from response_attributes(end, counts_output=self.counts_output)
        if self.capture_content:
            yield from response_content(end.result)

    def record_metrics(self, end: CallOutcome, attributes: Attributes) -> None:
        tokens = count_tokens(end.result, counts_output=self.counts_output)
        self.instruments.record_call(end.elapsed, first_chunk_seconds(end.result), tokens, attributes, self.context)
