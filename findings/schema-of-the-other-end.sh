#!/usr/bin/env bash
# openai's zod helper sends the schema of what a field becomes: a model that keeps to it is refused by the same field.
#
# Versions:  openai 6.49.0, ai 6.0.326, @langchain/core 1.4.0, zod 4.6.7.
# Input:     `z.stringbool()` and `z.string().pipe(z.coerce.number())`, fields that read a text and become a boolean and a
#            number; asked is the schema of each helper, and a response that fits openai's is read by its `parse`.
# Seen:      openai's schema, in strict mode, wants a boolean and a number, and `parse` then raises that it expected a
#            string. The AI SDK and LangChain ask for strings, which the fields read.
# Matters:   a decoder held to the schema can give no valid answer, so each call is paid and fails. The schema that is sent
#            is the one of what validates, never of what comes out.
. "$(dirname "$0")/lib/run.sh"
run_node openai@6.49.0 ai@6.0.326 @langchain/core@1.4.0 zod@4.6.7 <<'JS'
import http from "node:http";
import { convertToOpenAITool } from "@langchain/core/utils/function_calling";
import { asSchema } from "ai";
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

const Answer = z.object({ sure: z.stringbool(), price: z.string().pipe(z.coerce.number()) });
let content;
const server = http.createServer((request, response) => {
  request.resume().on("end", () => {
    const choices = [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }];
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ id: "c", object: "chat.completion", created: 1, model: "m", choices }));
  });
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const client = new OpenAI({ baseURL: `http://127.0.0.1:${server.address().port}/v1`, apiKey: "k", maxRetries: 0 });
const format = zodResponseFormat(Answer, "answer");
const parse = async (value) => {
  content = JSON.stringify(value);
  try {
    const messages = [{ role: "user", content: "Hi" }];
    const completion = await client.chat.completions.parse({ model: "m", messages, response_format: format });
    return completion.choices[0].message.parsed;
  } catch (error) {
    return error.issues.map((issue) => `${issue.path}: expected ${issue.expected}`).join(", ");
  }
};
const types = ({ properties }) => `${properties.sure.type}, ${properties.price.type}`;
const tool = convertToOpenAITool({ name: "answer", description: "Answer.", schema: Answer, invoke() {}, lc_namespace: [] });
const seen = {
  openai: types(format.json_schema.schema),
  strict: format.json_schema.strict,
  ai: types(await asSchema(Answer).jsonSchema),
  langchain: types(tool.function.parameters),
  "as openai asks": await parse({ sure: true, price: 3 }),
  "as the field reads": await parse({ sure: "yes", price: "3" }),
};
console.log(seen);
const expected = {
  openai: "boolean, number",
  strict: true,
  ai: "string, string",
  langchain: "string, string",
  "as openai asks": "sure: expected string, price: expected string",
  "as the field reads": { sure: true, price: 3 },
};
if (JSON.stringify(seen) !== JSON.stringify(expected)) throw new Error("The behaviour has changed.");
process.exit();
JS
