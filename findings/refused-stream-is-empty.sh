#!/usr/bin/env bash
# A stream of the AI SDK that the service refused is an empty text with 200, and one that failed is half a text.
#
# Versions:  ai 6.0.326 with @ai-sdk/openai-compatible 2.0.92, @langchain/openai 1.5.8 with @langchain/core
#            1.4.0, openai 6.49.0 (npm).
# Input:     a 400 with OpenAI's error body; a stream of one chunk, `One`, and an error as its last data. Read as a
#            text, and by `toTextStreamResponse()`, which a web handler returns to its own client.
# Seen:      the loop over `textStream` ends without an error in both cases, with "" and with `One`; the promise `text`
#            is `One`, too. The response for the web client is 200 and has its regular end. The documentation says that
#            streamText keeps errors in its stream and tells `onError` (by default the console) alone. openai and
#            LangChain raise both.
# Matters:   a cache, a data set or a browser gets nothing, or half an answer, as if the model had said so, and a
#            gateway that counts statuses sees 200. Await `finishReason`, or read `fullStream`, whose parts include the
#            error.
. "$(dirname "$0")/lib/run.sh"
run_node ai@6.0.326 @ai-sdk/openai-compatible@2.0.92 @langchain/core@1.4.0 @langchain/openai@1.5.8 openai@6.49.0 <<'JS'
import http from "node:http";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { ChatOpenAI } from "@langchain/openai";
import { streamText } from "ai";
import OpenAI from "openai";

const error = { message: "overloaded", type: "server_error", code: null };
const choice = { index: 0, delta: { role: "assistant", content: "One" }, finish_reason: null };
const chunk = { id: "c", object: "chat.completion.chunk", created: 1, model: "m", choices: [choice] };
const serve = async (status, type, body) => {
  const server = http.createServer((request, response) => {
    request.resume().on("end", () => {
      response.writeHead(status, { "content-type": type });
      response.end(body);
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${server.address().port}/v1`;
};
const collect = async (pieces) => {
  let text = "";
  for await (const piece of await pieces) text += piece.content ?? piece.choices?.[0].delta.content ?? piece;
  return text;
};
const orError = (promise) => promise.catch((raised) => raised.name + ": " + raised.message);
const messages = [{ role: "user", content: "Hi" }];

const readAll = async (baseURL) => {
  const options = { baseURL, apiKey: "k", maxRetries: 0 };
  const model = createOpenAICompatible({ name: "compatible", ...options })("m");
  const start = () => streamText({ model, messages, maxRetries: 0, onError() {} });
  const response = start().toTextStreamResponse();
  const langchain = new ChatOpenAI({ model: "m", apiKey: "k", maxRetries: 0, configuration: { baseURL } });
  return {
    "ai, textStream": await orError(collect(start().textStream)),
    "ai, text": await orError(start().text),
    "ai, web response": [response.status, await response.text()],
    langchain: await orError(collect(langchain.stream("Hi"))),
    openai: await orError(collect(new OpenAI(options).chat.completions.create({ model: "m", messages, stream: true }))),
  };
};
const events = [chunk, { error }].map((data) => `data: ${JSON.stringify(data)}\n\n`).join("");
const seen = {
  failed: await readAll(await serve(200, "text/event-stream", events)),
  refused: await readAll(await serve(400, "application/json", JSON.stringify({ error }))),
};
console.log(seen);
const expected = {
  failed: {
    "ai, textStream": "One",
    "ai, text": "One",
    "ai, web response": [200, "One"],
    langchain: "Error: overloaded",
    openai: "Error: overloaded",
  },
  refused: {
    "ai, textStream": "",
    "ai, text": "AI_NoOutputGeneratedError: No output generated. Check the stream for errors.",
    "ai, web response": [200, ""],
    langchain: "Error: 400 overloaded",
    openai: "Error: 400 overloaded",
  },
};
if (JSON.stringify(seen) !== JSON.stringify(expected)) throw new Error("The behaviour has changed.");
process.exit();
JS
