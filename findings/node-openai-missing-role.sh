#!/usr/bin/env bash
# openai's helper for JavaScript throws a whole answer away if no chunk names a role; its Python sibling returns it.
#
# Versions:  openai (npm) 6.49.0, openai (PyPI) 3.3.0.
# Input:     chunks with text and a finish reason, none with `role`, which the schema does not require.
# Seen:      node: `missing role for choice 0`, after the last chunk. Python: the text, with the role None.
# Matters:   a server has to send what the strictest of its clients wants, a client has to take what the laxest server
#            sends; the role of a streamed answer is known anyway.
. "$(dirname "$0")/lib/run.sh"
run_python openai==3.3.0 <<'PY'
from openai import OpenAI
from serve import MESSAGES, Server, chunk, events, expect

url = Server(events(chunk({"content": "Hello"}), chunk({}, "stop"))).url
with OpenAI(base_url=url, api_key="k").chat.completions.stream(model="m", messages=MESSAGES) as stream:
    message = stream.until_done().get_final_completion().choices[0].message
expect({"python": (message.content, message.role)}, {"python": ("Hello", None)})
PY
run_node openai@6.49.0 <<'JS'
import http from "node:http";
import OpenAI from "openai";

const chunk = (delta, finish_reason = null) =>
  ({ id: "c", object: "chat.completion.chunk", created: 1, model: "m", choices: [{ index: 0, delta, finish_reason }] });
const body = [chunk({ content: "Hello" }), chunk({}, "stop")].map((each) => `data: ${JSON.stringify(each)}\n\n`);
const server = http.createServer((request, response) => {
  request.resume().on("end", () => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end(body.join("") + "data: [DONE]\n\n");
  });
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const client = new OpenAI({ baseURL: `http://127.0.0.1:${server.address().port}/v1`, apiKey: "k", maxRetries: 0 });
const stream = client.chat.completions.stream({ model: "m", messages: [{ role: "user", content: "Hi" }] });
const seen = await stream.finalChatCompletion().catch((error) => error.message);
console.log("node", seen);
server.close();
server.closeAllConnections();
if (seen !== "missing role for choice 0") throw new Error("The behaviour has changed.");
JS
