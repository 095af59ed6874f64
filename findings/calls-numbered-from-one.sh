#!/usr/bin/env bash
# Tool calls that are numbered from 1, behind a text: an instrumentation breaks the caller's loop, both SDKs their helper.
#
# Versions:  openai 3.57.0, opentelemetry-instrumentation-openai 0.62.4, logfire 5.4.0, langfuse 5.0.4, langsmith 0.15.1
#            (PyPI); openai 6.49.0 (npm).
# Input:     a chunk with text, then one call in two chunks with `index: 1`, as servers number it that count the blocks of
#            a message. The schema wants an integer.
# Seen:      the stream helpers raise IndexError and TypeError. With the instrumentation the plain loop over chunks raises
#            IndexError too; without it the same loop ends well. Logfire records two calls, each with half of the
#            arguments, Langfuse one without a name before it, LangSmith a None.
# Matters:   an index says which pieces belong together, no place in a list. And what observes must not break: the loop
#            worked before the tracing was switched on.
. "$(dirname "$0")/lib/run.sh"
run_python openai==3.57.0 opentelemetry-instrumentation-openai==0.62.4 logfire==5.4.0 langfuse==5.0.4 langsmith==0.15.1 opentelemetry-sdk==1.45.2 <<'PY'
import json
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


def piece(**fields):
    return chunk({"tool_calls": [{"index": 1, **fields}]})


first = piece(id="call_1", type="function", function={"name": "f", "arguments": '{"a"'})
rest = piece(function={"arguments": ":1}"})
text = chunk({"role": "assistant", "content": "Let me look."})
url = Server(events(text, first, rest, chunk({}, "tool_calls"))).url


def read_chunks(make=OpenAI):
    return len(list(make(base_url=url, api_key="k").chat.completions.create(model="m", messages=MESSAGES, stream=True)))


def read_helper():
    with OpenAI(base_url=url, api_key="k").chat.completions.stream(model="m", messages=MESSAGES) as stream:
        return len(stream.get_final_completion().choices)


def read_with_traceloop():
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument(tracer_provider=provider)
    return outcome(read_chunks)


def find_attribute(name):
    return [json.loads(span.attributes[name]) for span in exporter.get_finished_spans() if name in span.attributes]


def read_with_logfire():
    import logfire

    processors = [SimpleSpanProcessor(exporter)]
    logfire.configure(send_to_logfire=False, console=False, additional_span_processors=processors)
    logfire.instrument_openai()
    read_chunks()
    ((message,),) = find_attribute("gen_ai.output.messages")
    return [(call["name"], call["arguments"]) for call in message["parts"][1:]]


def read_with_langfuse():
    from langfuse import Langfuse
    from langfuse.openai import OpenAI as TracedOpenAI

    Langfuse(public_key="pk", secret_key="sk", host="http://127.0.0.1:9", tracer_provider=provider)
    read_chunks(TracedOpenAI)
    (message,) = find_attribute("langfuse.observation.output")
    return [(call["function"]["name"], call["function"]["arguments"]) for call in message["tool_calls"]]


def read_with_langsmith():
    from langsmith import Client, tracing_context
    from langsmith.wrappers import wrap_openai

    client = Client(api_url="http://127.0.0.1:9", api_key="k", auto_batch_tracing=False)
    with mock.patch.object(Client, "create_run"), mock.patch.object(Client, "update_run") as update:
        with tracing_context(enabled=True, client=client):
            read_chunks(lambda **options: wrap_openai(OpenAI(**options)))
    (choice,) = update.call_args.kwargs["outputs"]["choices"]
    return [call and call["function"]["name"] for call in choice["message"]["tool_calls"]]


def in_new_process(function):
    with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
        return pool.submit(function).result()


expect(
    {
        "openai": read_chunks(),
        "openai, helper": outcome(read_helper),
        "with opentelemetry": in_new_process(read_with_traceloop),
        "with logfire": in_new_process(read_with_logfire),
        "with langfuse": in_new_process(read_with_langfuse),
        "with langsmith": in_new_process(read_with_langsmith),
    },
    {
        "openai": 4,
        "openai, helper": "IndexError: list index out of range",
        "with opentelemetry": "IndexError: list index out of range",
        "with logfire": [("f", '{"a"'), (None, ":1}")],
        "with langfuse": [("", ""), ("f", '{"a":1}')],
        "with langsmith": [None, "f"],
    },
)
PY
run_node openai@6.49.0 <<'JS'
import http from "node:http";
import OpenAI from "openai";

const chunk = (delta, finish_reason = null) =>
  ({ id: "c", object: "chat.completion.chunk", created: 1, model: "m", choices: [{ index: 0, delta, finish_reason }] });
const call = { index: 1, id: "call_1", type: "function", function: { name: "f", arguments: "{}" } };
const pieces = [chunk({ role: "assistant", content: "Let me look." }), chunk({ tool_calls: [call] }), chunk({}, "tool_calls")];
const server = http.createServer((request, response) => {
  request.resume().on("end", () => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end(pieces.map((each) => `data: ${JSON.stringify(each)}\n\n`).join("") + "data: [DONE]\n\n");
  });
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const client = new OpenAI({ baseURL: `http://127.0.0.1:${server.address().port}/v1`, apiKey: "k", maxRetries: 0 });
const stream = client.chat.completions.stream({ model: "m", messages: [{ role: "user", content: "Hi" }] });
const error = await stream.finalChatCompletion().then(() => null, (error) => error);
console.log("node", String(error));
server.close();
server.closeAllConnections();
if (!String(error).includes("Cannot read properties of undefined")) throw new Error("The behaviour has changed.");
JS
