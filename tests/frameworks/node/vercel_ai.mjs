// Vercel's AI SDK: node vercel_ai.mjs ACTION. The address and the key come from the environment.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { embedMany, generateText, streamText } from "ai";

const provider = createOpenAICompatible({
  name: "gateway",
  baseURL: process.env.OPENAI_BASE_URL,
  apiKey: process.env.OPENAI_API_KEY,
  includeUsage: true,
});
const question = { model: provider.chatModel(process.env.MODEL), prompt: "Capital of Portugal?", maxRetries: 0 };

const actions = {
  async whole() {
    const { text, usage } = await generateText(question);
    return { text, tokens: usage.outputTokens };
  },
  async stream() {
    const pieces = [];
    for await (const piece of streamText(question).textStream) pieces.push(piece);
    return { text: pieces.join(""), pieces: pieces.length };
  },
  async embeddings() {
    const model = provider.embeddingModel("gte-large");
    const { embeddings } = await embedMany({ model, values: ["one", "two"], maxRetries: 0 });
    return { vectors: embeddings.map(each => each.length) };
  },
  async error() {
    try {
      await generateText(question);
    } catch (error) {
      return { status: error.statusCode, retryAfter: error.responseHeaders["retry-after"], type: error.name };
    }
  },
};

console.log(JSON.stringify(await actions[process.argv[2]]()));
