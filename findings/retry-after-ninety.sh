#!/usr/bin/env bash
# The AI SDK of JavaScript does not wait for a Retry-After of more than a minute: it sends again after 2 s and 4 s.
#
# Versions:  ai 6.0.326, @ai-sdk/openai-compatible 2.0.92.
# Input:     429 with `Retry-After: 90`, as for a quota of tokens in a minute, to a call with the default settings.
# Seen:      three requests within 7 s, then an error; with `Retry-After: 1` the requests come a second apart.
# Matters:   all three are counted, and refused, in the same minute; with many tasks the key stays refused. What does not
#            fit into the time of a call is an error at once, with the seconds in it.
. "$(dirname "$0")/lib/run.sh"
run_node ai@6.0.326 @ai-sdk/openai-compatible@2.0.92 <<'JS'
import http from "node:http";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText } from "ai";

const pauses = async (seconds) => {
  const starts = [];
  const server = http.createServer((request, response) => {
    starts.push(Date.now());
    request.resume().on("end", () => {
      response.writeHead(429, { "content-type": "application/json", "retry-after": seconds });
      response.end('{"error": {"message": "slow down", "type": "rate_limit_error"}}');
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const baseURL = `http://127.0.0.1:${server.address().port}/v1`;
  const model = createOpenAICompatible({ name: "compatible", baseURL, apiKey: "k" })("m");
  await generateText({ model, prompt: "Hi" }).catch(() => {});
  server.close();
  server.closeAllConnections();
  return starts.slice(1).map((start, index) => Math.round((start - starts[index]) / 1000));
};
const seen = [await pauses("90"), await pauses("1")];
console.log("Retry-After: 90", seen[0], "- Retry-After: 1", seen[1]);
if (JSON.stringify(seen) !== JSON.stringify([[2, 4], [1, 1]])) throw new Error("The behaviour has changed.");
JS
