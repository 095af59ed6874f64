#!/usr/bin/env bash
# A stream that ends in an error, raised to the caller, is recorded as a success by two of six tracing libraries.
#
# Versions:  opentelemetry-instrumentation-openai 0.62.4, langfuse 5.0.4, openinference-instrumentation-openai 0.1.66,
#            logfire 5.4.0, langsmith 0.15.1, posthog 7.91.1; openai 3.57.0 with opentelemetry-sdk 1.45.2.
# Input:     a chunk with text, then `data: {"error": {"message": "boom"}}`, the form of an error after the headers. The
#            SDK raises an APIError to the loop that reads.
# Seen:      the span of OpenTelemetry's instrumentation has the status OK, that of Langfuse no status and no level, both
#            without a word of the error. The other four say ERROR, and `boom`.
# Matters:   an outage during generation is invisible on the page that is there to show it, and the half answer goes into
#            data sets made of traces. The end of a span is the end of the stream.
. "$(dirname "$0")/lib/run.sh"
run_python opentelemetry-instrumentation-openai==0.62.4 langfuse==5.0.4 openinference-instrumentation-openai==0.1.66 logfire==5.4.0 langsmith==0.15.1 posthog==7.91.1 openai==3.57.0 opentelemetry-sdk==1.45.2 <<'PY'
import logging
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from unittest import mock

from openai import OpenAI
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from serve import MESSAGES, Server, chunk, events, expect, outcome

logging.disable()
exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
url = Server(events(chunk({"content": "One"}), {"error": {"message": "boom", "type": "server_error"}})).url


def read(make=OpenAI):
    client = make(base_url=url, api_key="k", max_retries=0)
    return outcome(lambda: list(client.chat.completions.create(model="m", messages=MESSAGES, stream=True)))


def last_span():
    *_, span = exporter.get_finished_spans()
    said = "boom" in str([span.attributes, span.status.description, [event.attributes for event in span.events]])
    return span.status.status_code.name, said


def traceloop():
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument(tracer_provider=provider)
    return read(), *last_span()


def langfuse():
    from langfuse import Langfuse
    from langfuse.openai import OpenAI as TracedOpenAI

    Langfuse(public_key="pk", secret_key="sk", host="http://127.0.0.1:9", tracer_provider=provider)
    error = read(TracedOpenAI)
    *_, span = exporter.get_finished_spans()
    return error, span.attributes.get("langfuse.observation.level", last_span()[0]), last_span()[1]


def openinference():
    from openinference.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument(tracer_provider=provider)
    return read(), *last_span()


def logfire():
    import logfire

    processors = [SimpleSpanProcessor(exporter)]
    logfire.configure(send_to_logfire=False, console=False, additional_span_processors=processors)
    logfire.instrument_openai()
    return read(), *last_span()


def langsmith():
    from langsmith import Client, tracing_context
    from langsmith.wrappers import wrap_openai

    client = Client(api_url="http://127.0.0.1:9", api_key="k", auto_batch_tracing=False)
    with mock.patch.object(Client, "create_run"), mock.patch.object(Client, "update_run") as update:
        with tracing_context(enabled=True, client=client):
            error = read(lambda **options: wrap_openai(OpenAI(**options)))
    recorded = update.call_args.kwargs["error"]
    return error, "ERROR" if recorded else "OK", "boom" in str(recorded)


def posthog():
    from posthog.ai.openai import OpenAI as TracedOpenAI

    recorder = mock.Mock(privacy_mode=False)
    error = read(lambda **options: TracedOpenAI(posthog_client=recorder, **options))
    properties = recorder.capture.call_args.kwargs["properties"]
    return error, "ERROR" if properties.get("$ai_is_error") else "OK", "boom" in str(properties)


def in_new_process(function):
    with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
        return pool.submit(function).result()


names = [traceloop, langfuse, openinference, logfire, langsmith, posthog]
expect(
    {each.__name__: in_new_process(each) for each in names},
    {
        "traceloop": ("APIError: boom", "OK", False),
        "langfuse": ("APIError: boom", "UNSET", False),
        "openinference": ("APIError: boom", "ERROR", True),
        "logfire": ("APIError: boom", "ERROR", True),
        "langsmith": ("APIError: boom", "ERROR", True),
        "posthog": ("APIError: boom", "ERROR", True),
    },
)
PY
