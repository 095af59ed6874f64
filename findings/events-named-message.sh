#!/usr/bin/env bash
# `event: message`, the name that every event without one has, empties the stream of two SDKs and breaks a third.
#
# Versions:  together 3.1.1, groq 1.7.0, openai 3.57.0; together-ai 0.52.0, groq-sdk 1.6.0 and openai 6.49.0 of npm.
# Input:     a stream of two chunks, `One` and ` two`, whose events are named `message`. The HTML standard gives this
#            name to an event that has none, so a browser cannot tell the two streams apart.
# Seen:      together yields no chunk and raises nothing, in Python and in Node. groq's Python client yields chunks
#            without choices, its client for Node the text; openai reads it in both languages.
# Matters:   behind a server that names its events a paid answer is empty, without an error. A chunk is known by what is
#            in its data.
. "$(dirname "$0")/lib/run.sh"
run_python together==3.1.1 groq==1.7.0 openai==3.57.0 <<'PY'
from groq import Groq
from openai import OpenAI
from serve import MESSAGES, Server, chunk, events, expect, outcome
from together import Together

plain = events(chunk({"role": "assistant", "content": "One"}), chunk({"content": " two"}, "stop"))
named = plain.replace(b"data: {", b"event: message\ndata: {")


def read(make, body):
    client = make(base_url=Server(body).url, api_key="k", max_retries=0)
    chunks = list(client.chat.completions.create(model="m", messages=MESSAGES, stream=True))
    return outcome(lambda: "".join(each.choices[0].delta.content for each in chunks)), len(chunks)


whole = ("One two", 2)
expect(
    {make.__name__: (read(make, plain), read(make, named)) for make in (Together, Groq, OpenAI)},
    {
        "Together": (whole, ("", 0)),
        "Groq": (whole, ("TypeError: 'NoneType' object is not subscriptable", 2)),
        "OpenAI": (whole, whole),
    },
)
PY
run_node together-ai@0.52.0 groq-sdk@1.6.0 openai@6.49.0 <<'JS'
import http from "node:http";
import Groq from "groq-sdk";
import OpenAI from "openai";
import Together from "together-ai";

const chunk = (content, finish_reason = null) =>
  JSON.stringify({
    id: "c", object: "chat.completion.chunk", created: 1, model: "m",
    choices: [{ index: 0, delta: { content }, finish_reason }],
  });
const body = `event: message\ndata: ${chunk("One")}\n\nevent: message\ndata: ${chunk(" two", "stop")}\n\ndata: [DONE]\n\n`;
const server = http.createServer((request, response) => {
  request.resume().on("end", () => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end(body);
  });
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const baseURL = `http://127.0.0.1:${server.address().port}/v1`;
const messages = [{ role: "user", content: "Hi" }];
const seen = {};
for (const [name, Client] of Object.entries({ together: Together, groq: Groq, openai: OpenAI })) {
  const client = new Client({ baseURL, apiKey: "k", maxRetries: 0 });
  const stream = await client.chat.completions.create({ model: "m", messages, stream: true });
  seen[name] = "";
  for await (const each of stream) seen[name] += each.choices[0].delta.content;
}
console.log("node", seen);
const expected = { together: "", groq: "One two", openai: "One two" };
if (JSON.stringify(seen) !== JSON.stringify(expected)) throw new Error("The behaviour has changed.");
process.exit();
JS
