#!/usr/bin/env bash
# Three SDKs send a request a second time after five minutes without a response, whatever their own limit of ten says.
#
# Versions:  openai 6.49.0, @anthropic-ai/sdk 1.14.0, ai 6.0.326 with @ai-sdk/openai-compatible 2.0.92; node 20.20.2.
# Input:     one call with the default settings, of a whole response, to a server that thinks longer than that. This takes
#            five minutes and a half.
# Seen:      node's fetch gives up on headers after 300 s and calls that a failed connection; all three take it for one and
#            send the prompt again some 302 s after the first time.
# Matters:   a whole response has no headers before its last token. A slow model writes it three times, each is billed,
#            and none arrives. A time-out after sending is no reason to send again; long calls are streams.
. "$(dirname "$0")/lib/run.sh"
run_node openai@6.49.0 @anthropic-ai/sdk@1.14.0 ai@6.0.326 @ai-sdk/openai-compatible@2.0.92 <<'JS'
import http from "node:http";
import Anthropic from "@anthropic-ai/sdk";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText } from "ai";
import OpenAI from "openai";

const listen = async () => {
  const arrived = [];
  const server = http.createServer((request) => {
    arrived.push(Date.now());
    request.resume();
  });
  server.timeout = server.requestTimeout = 0;
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { arrived, root: `http://127.0.0.1:${server.address().port}` };
};
const services = { openai: await listen(), anthropic: await listen(), ai: await listen() };
const messages = [{ role: "user", content: "Think." }];
const baseURL = `${services.ai.root}/v1`;
const calls = [
  new OpenAI({ baseURL: `${services.openai.root}/v1`, apiKey: "k" }).chat.completions.create({ model: "m", messages }),
  new Anthropic({ baseURL: services.anthropic.root, apiKey: "k" }).messages.create({ model: "m", max_tokens: 9, messages }),
  generateText({ model: createOpenAICompatible({ name: "compatible", baseURL, apiKey: "k" })("m"), prompt: "Think." }),
];
for (const call of calls) call.catch(() => {});
await new Promise((resolve) => setTimeout(resolve, 325_000));
const pauses = Object.entries(services).map(([name, { arrived }]) => [name, (arrived[1] - arrived[0]) / 1000]);
for (const [name, seconds] of pauses) console.log(name, "sends again after", seconds, "s");
if (!pauses.every(([, seconds]) => seconds > 299 && seconds < 320)) throw new Error("The behaviour has changed.");
process.exit();
JS
