// OpenAI's package: node openai.mjs ACTION. The address and the key come from the environment.
import OpenAI from "openai";

const client = new OpenAI({ maxRetries: 0 });
const question = { model: process.env.MODEL, messages: [{ role: "user", content: "Capital of Portugal?" }] };

const actions = {
  async whole() {
    const completion = await client.chat.completions.create(question);
    return { text: completion.choices[0].message.content, tokens: completion.usage.completion_tokens };
  },
  async stream() {
    const pieces = [];
    for await (const chunk of await client.chat.completions.create({ ...question, stream: true })) {
      pieces.push(chunk.choices[0]?.delta?.content ?? "");
    }
    return { text: pieces.join(""), pieces: pieces.filter(Boolean).length };
  },
  async embeddings() {
    const { data } = await client.embeddings.create({ model: "gte-large", input: ["one", "two"] });
    return { vectors: data.map(each => each.embedding.length) };
  },
  async error() {
    try {
      await client.chat.completions.create(question);
    } catch (error) {
      return { status: error.status, retryAfter: error.headers.get("retry-after"), type: error.constructor.name };
    }
  },
};

console.log(JSON.stringify(await actions[process.argv[2]]()));
