"""The metrics of calls and tools: instruments, and what is recorded with them.

Contract: a count that the service did not state is not recorded.
"""

# The conventions of generative AI moved to a repository of their own, and their release 0.1.0 gives each operation
# metrics of its own in place of three shared ones. Dashboards read the shared names still, so both are recorded.
#
#   until 1.41                                     since 0.1.0
#   gen_ai.client.operation.duration               gen_ai.client.inference.duration, .embeddings.duration,
#                                                  gen_ai.invoke_agent.duration, gen_ai.execute_tool.duration,
#                                                  gen_ai.retrieval.duration
#   gen_ai.client.operation.time_to_first_chunk    gen_ai.client.inference.time_to_first_chunk
#   gen_ai.client.token.usage, by token type       gen_ai.client.inference.usage.input_tokens and its parts: counters

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from opentelemetry.context import Context
from opentelemetry.metrics import Counter, Histogram, Meter

_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_TOKENS = tuple(4**power for power in range(14))
_INFERENCE = "gen_ai.client.inference"
_DURATIONS = {
    "chat": f"{_INFERENCE}.duration",
    "generate_content": f"{_INFERENCE}.duration",
    "embeddings": "gen_ai.client.embeddings.duration",
    "invoke_agent": "gen_ai.invoke_agent.duration",
    "execute_tool": "gen_ai.execute_tool.duration",
    "retrieval": "gen_ai.retrieval.duration",
}
_INFERENCES = frozenset({"chat", "generate_content"})


class Instruments:
    """The instruments of one meter.

    Args:
        meter: Creates the instruments.
    """

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._call_duration = self._create_timer("gen_ai.client.operation.duration", "Duration of a call.")
        self._durations = {name: self._create_timer(name, "Duration of the operation.") for name in _DURATIONS.values()}
        self._first_chunks = [
            self._create_timer(f"{group}.time_to_first_chunk", "Time to the first chunk of a stream.")
            for group in ("gen_ai.client.operation", _INFERENCE)
        ]
        self._token_usage = meter.create_histogram(
            "gen_ai.client.token.usage",
            unit="{token}",
            description="Input and output tokens of a call.",
            explicit_bucket_boundaries_advisory=_TOKENS,
        )
        self._token_counters: dict[str, Counter] = {}
        self._creating = threading.Lock()

    def _create_timer(self, name: str, description: str) -> Histogram:
        return self._meter.create_histogram(
            name, unit="s", description=description, explicit_bucket_boundaries_advisory=_SECONDS
        )

    def record_duration(self, seconds: float, attributes: Mapping[str, Any], context: Context) -> None:
        """Record the duration of the operation that *attributes* name."""
        operation = attributes["gen_ai.operation.name"]
        self._durations[_DURATIONS[operation]].record(seconds, attributes, context=context)

    def record_call(
        self,
        seconds: float,
        first_chunk: float | None,
        tokens: Mapping[str, int],
        attributes: Mapping[str, Any],
        context: Context,
    ) -> None:
        """Record a call.

        Args:
            seconds: Its duration.
            first_chunk: Seconds to the first chunk; None if it was not a stream.
            tokens: The tokens that the service stated, as `count_tokens` returns them.
            attributes: The attributes of every point.
            context: Has the span of the call, for exemplars.
        """
        self._call_duration.record(seconds, attributes, context=context)
        self.record_duration(seconds, attributes, context)
        is_inference = attributes["gen_ai.operation.name"] in _INFERENCES
        if first_chunk is not None:
            for timer in self._first_chunks if is_inference else self._first_chunks[:1]:
                timer.record(first_chunk, attributes, context=context)
        for kind in ("input", "output"):
            if (count := tokens.get(f"{kind}_tokens")) is not None:
                self._token_usage.record(count, {**attributes, "gen_ai.token.type": kind}, context=context)
        if is_inference:
            self._count_tokens(tokens, attributes, context)

    def _count_tokens(self, tokens: Mapping[str, int], attributes: Mapping[str, Any], context: Context) -> None:
        """Add the tokens of an inference to the counters; the service does not tell text from images."""
        for kind, count in tokens.items():
            counter = self._token_counters.get(kind) or self._create_counter(kind)
            counter.add(count, {**attributes, "gen_ai.token.modality": "unknown"}, context=context)

    def _create_counter(self, kind: str) -> Counter:
        """Create the counter of *kind*, once for sessions in several threads: two of one name would disagree."""
        with self._creating:
            if kind not in self._token_counters:
                self._token_counters[kind] = self._meter.create_counter(
                    f"{_INFERENCE}.usage.{kind}", unit="{token}", description="Tokens of the calls."
                )
            return self._token_counters[kind]
