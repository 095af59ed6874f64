#!/usr/bin/env bash
# Two choices (`n: 2`) that a server streams side by side are one text in four frameworks: "Yes, No, do it.never."
#
# Versions:  langchain-openai 1.7.4, pydantic-ai-slim 2.68.0, openai 3.57.0, litellm 1.110.2 (PyPI); ai 6.0.326 with
#            @ai-sdk/openai-compatible 2.0.92, @langchain/openai 1.5.8 (npm).
# Input:     chunks whose one choice has the index 0 and 1 in turn, as the API documents them and servers that run all
#            choices in one batch send them.
# Seen:      LangChain and Pydantic AI in Python, the AI SDK and LangChain in JavaScript append every text to one answer.
#            openai's stream helper and LiteLLM keep two.
# Matters:   the number of choices passes through unchecked as an extra parameter, and comes back as a text that the model
#            never wrote. The index of a choice is part of its chunk.
. "$(dirname "$0")/lib/run.sh"
run_python langchain-openai==1.7.4 'pydantic-ai-slim[openai]==2.68.0' openai==3.57.0 litellm==1.110.2 <<'PY'
import asyncio

import litellm
from langchain_openai import ChatOpenAI
from openai import OpenAI
from pydantic_ai.direct import model_request_stream
from pydantic_ai.messages import ModelRequest
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from serve import MESSAGES, Server, chunk, events, expect

litellm.suppress_debug_info = True


def choice(index, delta, finish_reason=None):
    piece = chunk(delta, finish_reason)
    piece["choices"][0]["index"] = index
    return piece


texts = [(0, "Yes, "), (1, "No, "), (0, "do it."), (1, "never.")]
pieces = [choice(index, {"role": "assistant", "content": text}) for index, text in texts]
url = Server(events(*pieces, choice(0, {}, "stop"), choice(1, {}, "stop"))).url


def openai_texts():
    client = OpenAI(base_url=url, api_key="k", max_retries=0)
    with client.chat.completions.stream(model="m", messages=MESSAGES, n=2) as stream:
        return [each.message.content for each in stream.until_done().get_final_completion().choices]


def langchain_text():
    model = ChatOpenAI(base_url=url, api_key="k", model="m", max_retries=0, n=2)
    return "".join(each.content for each in model.stream("Hi"))


async def pydantic_text():
    model = OpenAIChatModel("m", provider=OpenAIProvider(base_url=url, api_key="k"))
    settings = {"extra_body": {"n": 2}}
    async with model_request_stream(model, [ModelRequest.user_text_prompt("Hi")], model_settings=settings) as stream:
        async for _ in stream:
            pass
        return stream.get().parts[0].content


def litellm_texts():
    chunks = litellm.completion("openai/m", MESSAGES, api_base=url, api_key="k", stream=True, max_retries=0, n=2)
    return [each.message.content for each in litellm.stream_chunk_builder(list(chunks)).choices]


expect(
    {
        "openai": openai_texts(),
        "langchain": langchain_text(),
        "pydantic-ai": asyncio.run(pydantic_text()),
        "litellm": litellm_texts(),
    },
    {
        "openai": ["Yes, do it.", "No, never."],
        "langchain": "Yes, No, do it.never.",
        "pydantic-ai": "Yes, No, do it.never.",
        "litellm": ["Yes, do it.", "No, never."],
    },
)
PY
run_node ai@6.0.326 @ai-sdk/openai-compatible@2.0.92 @langchain/openai@1.5.8 @langchain/core@1.4.0 <<'JS'
import http from "node:http";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { ChatOpenAI } from "@langchain/openai";
import { streamText } from "ai";

const chunk = (index, delta, finish_reason = null) =>
  ({ id: "c", object: "chat.completion.chunk", created: 1, model: "m", choices: [{ index, delta, finish_reason }] });
const texts = [[0, "Yes, "], [1, "No, "], [0, "do it."], [1, "never."]];
const pieces = texts.map(([index, content]) => chunk(index, { role: "assistant", content }));
const body = [...pieces, chunk(0, {}, "stop"), chunk(1, {}, "stop")].map((each) => `data: ${JSON.stringify(each)}\n\n`);
const server = http.createServer((request, response) => {
  request.resume().on("end", () => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end(body.join("") + "data: [DONE]\n\n");
  });
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const baseURL = `http://127.0.0.1:${server.address().port}/v1`;
const provider = createOpenAICompatible({ name: "compatible", baseURL, apiKey: "k" });
const ai = await streamText({ model: provider("m"), prompt: "Hi", providerOptions: { compatible: { n: 2 } } }).text;
let langchain = "";
const model = new ChatOpenAI({ model: "m", apiKey: "k", n: 2, maxRetries: 0, configuration: { baseURL } });
for await (const each of await model.stream("Hi")) langchain += each.content;
console.log("ai", ai, "- langchain", langchain);
server.close();
server.closeAllConnections();
if (ai !== "Yes, No, do it.never." || langchain !== ai) throw new Error("The behaviour has changed.");
JS
