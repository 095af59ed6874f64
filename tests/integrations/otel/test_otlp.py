"""Spans and metrics as they leave the process: the exporter of OTLP against a receiver that decodes its protobuf."""

import contextlib
import gzip
import socket
from typing import Any

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from gradient_async import AsyncSession
from gradient_async.integrations.otel import Telemetry
from gradient_async.testing import Emulator
from tests.support.thread_server import receive_request, run_thread_server

SECRET = "a prompt that must not be exported"
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n"


class Receiver:
    """A receiver of OTLP over HTTP, as a collector has one."""

    def __init__(self) -> None:
        self.traces: list[ExportTraceServiceRequest] = []
        self.metrics: list[ExportMetricsServiceRequest] = []

    def serve(self, connection: socket.socket) -> None:
        """Decode the requests of one connection."""
        with contextlib.suppress(OSError):
            while request := receive_request(connection):
                head, _, body = request.partition(b"\r\n\r\n")
                body = gzip.decompress(body) if b"gzip" in head.lower().partition(b"content-encoding:")[2] else body
                if head.startswith(b"POST /v1/traces "):
                    self.traces.append(ExportTraceServiceRequest.FromString(body))
                else:
                    self.metrics.append(ExportMetricsServiceRequest.FromString(body))
                connection.sendall(RESPONSE)

    def spans(self) -> list[Any]:
        """Return the spans of every export."""
        return [
            span
            for export in self.traces
            for resource in export.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def metrics_by_name(self) -> dict[str, Any]:
        """Return the metrics of the last export, by name."""
        return {
            metric.name: metric
            for export in self.metrics
            for resource in export.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


def read_attributes(span: Any) -> dict[str, Any]:
    """Return the attributes of a decoded span."""
    return {entry.key: getattr(entry.value, entry.value.WhichOneof("value")) for entry in span.attributes}


async def run_conversation(emulator: Emulator, hook: Telemetry) -> None:
    """Have a conversation with one call of a tool."""

    def weather(city: str) -> str:
        """Tell the weather."""
        return f"Rain in {city}"

    emulator.reply(tool_calls=[{"name": "weather", "arguments": {"city": "Rome"}}])
    emulator.reply("Rain.")
    async with AsyncSession("sk-secret", base_url=emulator.url, hooks=[hook]) as session:
        await session.chat.completions.run_tools(
            model="m", messages=[{"role": "user", "content": SECRET}], tools=[weather]
        )


async def test_a_collector_gets_the_tree_of_a_conversation_and_its_metrics(gradient_emulator: Emulator) -> None:
    receiver, resource = Receiver(), Resource.create({"service.name": "app"})
    with run_thread_server(receiver.serve) as address:
        traces = TracerProvider(resource=resource)
        traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"http://{address}/v1/traces")))
        exporter = OTLPMetricExporter(endpoint=f"http://{address}/v1/metrics")
        meters = MeterProvider([PeriodicExportingMetricReader(exporter)], resource=resource)
        await run_conversation(gradient_emulator, Telemetry(tracer_provider=traces, meter_provider=meters))
        traces.shutdown()
        meters.shutdown()
    spans = {span.name: span for span in receiver.spans()}
    root = spans["invoke_agent m"]
    assert {span.trace_id for span in receiver.spans()} == {root.trace_id}
    assert sorted(span.name for span in receiver.spans() if span.parent_span_id == root.span_id) == [
        "chat m",
        "chat m",
        "execute_tool weather",
    ]
    chat = read_attributes(spans["chat m"])
    assert (chat["gen_ai.provider.name"], chat["gen_ai.request.model"]) == ("digitalocean.gradient", "m")
    assert isinstance(chat["gen_ai.usage.input_tokens"], int)
    assert [event.name for event in spans["chat m"].events] == ["gradient.attempt"]
    metrics = receiver.metrics_by_name()
    assert metrics.keys() >= {
        "gen_ai.client.operation.duration",
        "gen_ai.client.token.usage",
        "gen_ai.client.inference.usage.input_tokens",
        "gen_ai.execute_tool.duration",
    }
    (duration,) = metrics["gen_ai.client.inference.duration"].histogram.data_points
    assert (duration.count, duration.exemplars[0].trace_id) == (2, root.trace_id)
    exported = f"{receiver.traces} {receiver.metrics}"
    assert not any(hidden in exported for hidden in (SECRET, "sk-secret", "Rome"))
