#!/usr/bin/env bash
# A stream that was closed after one event has no span in two of three instrumentations, until garbage is collected.
#
# Versions:  opentelemetry-instrumentation-openai 0.62.4, openinference-instrumentation-openai 0.1.66, logfire 5.4.0;
#            openai 3.57.0 with opentelemetry-sdk 1.45.2.
# Input:     `create(stream=True)` and the helper `stream()`, each in a `with` block that is left after one event.
# Seen:      behind the helper the spans of the first two do not end with the block, but with the last reference to the
#            stream; one then has the status OK. Logfire ends the span of the request when the response begins, and
#            reports the stream when it is collected. Behind `create` both end with the block.
# Matters:   half an answer is billed, and its span lasts as long as someone keeps the object. A span has to end where
#            the stream is closed, and say that it was left.
. "$(dirname "$0")/lib/run.sh"
run_python opentelemetry-instrumentation-openai==0.62.4 openinference-instrumentation-openai==0.1.66 logfire==5.4.0 opentelemetry-sdk==1.45.2 openai==3.57.0 <<'PY'
import gc
import logging
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

from openai import OpenAI
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from serve import MESSAGES, Server, chunk, events, expect

exporter = InMemorySpanExporter()
processor = SimpleSpanProcessor(exporter)
provider = TracerProvider()
provider.add_span_processor(processor)


def instrument(library):
    if library == "logfire":
        import logfire

        logfire.configure(send_to_logfire=False, console=False, additional_span_processors=[processor])
        logfire.instrument_openai()
    elif library == "openinference":
        from openinference.instrumentation.openai import OpenAIInstrumentor

        OpenAIInstrumentor().instrument(tracer_provider=provider)
    else:
        from opentelemetry.instrumentation.openai import OpenAIInstrumentor

        OpenAIInstrumentor().instrument(tracer_provider=provider)


def read_one_event(begin):
    exporter.clear()
    with begin() as stream:
        for _ in stream:
            break
    closed = len(exporter.get_finished_spans())
    del stream
    gc.collect()
    return closed, [span.status.status_code.name for span in exporter.get_finished_spans()]


def watch(library):
    logging.disable()
    instrument(library)
    texts = [chunk({"role": "assistant", "content": "One"}), chunk({"content": " two"}), chunk({}, "stop")]
    chat = OpenAI(base_url=Server(events(*texts)).url, api_key="k", max_retries=0).chat.completions
    return {
        "create": read_one_event(lambda: chat.create(model="m", messages=MESSAGES, stream=True)),
        "stream": read_one_event(lambda: chat.stream(model="m", messages=MESSAGES)),
    }


if __name__ == "__main__":
    libraries = ["opentelemetry", "openinference", "logfire"]
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as processes:
        seen = dict(zip(libraries, processes.map(watch, libraries), strict=True))
    expect(
        seen,
        {
            "opentelemetry": {"create": (1, ["OK"]), "stream": (0, ["OK"])},
            "openinference": {"create": (1, ["UNSET"]), "stream": (0, ["UNSET"])},
            "logfire": {"create": (1, ["UNSET", "UNSET"]), "stream": (1, ["UNSET", "UNSET"])},
        },
    )
PY
