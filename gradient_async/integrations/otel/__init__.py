"""OpenTelemetry: spans and metrics of calls and tools. Needs the extra ``gradient-async[otel]``."""

from gradient_async.integrations.otel.telemetry import Telemetry

__all__ = ["Telemetry"]
