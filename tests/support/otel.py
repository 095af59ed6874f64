"""Spans and metrics of OpenTelemetry, recorded in memory."""

from typing import Any

import attrs
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader, NumberDataPoint
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from gradient_async.integrations.otel import Telemetry


@attrs.define
class Recording:
    """The spans and metrics that a hook recorded, in memory."""

    exporter: InMemorySpanExporter = attrs.field(factory=InMemorySpanExporter)
    reader: InMemoryMetricReader = attrs.field(factory=InMemoryMetricReader)
    traces: TracerProvider = attrs.field(factory=TracerProvider)
    capture_content: bool = False
    hook: Telemetry = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.traces.add_span_processor(SimpleSpanProcessor(self.exporter))
        meters = MeterProvider(metric_readers=[self.reader])
        self.hook = Telemetry(tracer_provider=self.traces, meter_provider=meters, capture_content=self.capture_content)

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self.exporter.get_finished_spans()

    def find(self, name: str) -> ReadableSpan:
        """Return the one span called *name*."""
        (span,) = (span for span in self.spans if span.name == name)
        return span

    def attributes(self) -> list[dict[str, Any]]:
        """Return the attributes of each finished span."""
        return [dict(span.attributes or {}) for span in self.spans]

    def metrics(self) -> dict[str, list[tuple[dict[str, Any], float]]]:
        """Return the attributes and the sum of every point, by the metric's name."""
        data = self.reader.get_metrics_data()
        found = data.resource_metrics[0].scope_metrics[0].metrics if data else []
        return {
            metric.name: [
                (dict(point.attributes or {}), point.sum if isinstance(point, HistogramDataPoint) else point.value)
                for point in metric.data.data_points
                if isinstance(point, HistogramDataPoint | NumberDataPoint)
            ]
            for metric in found
        }
