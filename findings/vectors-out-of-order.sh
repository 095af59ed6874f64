#!/usr/bin/env bash
# Embeddings that a server lists in another order than the texts: five of five libraries give each text another's vector.
#
# Versions:  langchain-openai 1.7.4, litellm 1.110.2, haystack-ai 3.4.1 (with openai 3.3.0), pydantic-ai-slim 2.68.0;
#            ai 6.0.326 with @ai-sdk/openai-compatible 2.0.92.
# Input:     three texts; the response lists the vectors of the third, the first and the second, each with its `index`,
#            which the API's reference defines as "the index of the embedding in the list of embeddings".
# Seen:      all return the vectors as they are listed: 2, 0, 1. None looks at the index, none complains.
# Matters:   the wrong vectors are stored, and a search finds the wrong documents without an error ever. Where a response
#            states positions, the order of its list is none.
. "$(dirname "$0")/lib/run.sh"
run_python langchain-openai==1.7.4 litellm==1.110.2 haystack-ai==3.4.1 openai==3.3.0 <<'PY'
import litellm
from haystack import Document
from haystack.components.embedders import OpenAIDocumentEmbedder
from haystack.utils import Secret
from langchain_openai import OpenAIEmbeddings
from serve import expect, serve_vectors

litellm.suppress_debug_info = True
url, texts = serve_vectors(2, 0, 1), ["zero", "one", "two"]


def with_langchain():
    return OpenAIEmbeddings(model="m", base_url=url, api_key="k", check_embedding_ctx_length=False).embed_documents(texts)


def with_litellm():
    return [each["embedding"] for each in litellm.embedding("openai/m", texts, api_base=url, api_key="k").data]


def with_haystack():
    options = {"api_base_url": url, "model": "m", "progress_bar": False}
    embedder = OpenAIDocumentEmbedder(api_key=Secret.from_token("k"), **options)
    return [each.embedding for each in embedder.run([Document(content=text) for text in texts])["documents"]]


seen = {"langchain": with_langchain(), "litellm": with_litellm(), "haystack": with_haystack()}
expect(seen, dict.fromkeys(seen, [[2.0], [0.0], [1.0]]))
PY
run_python 'pydantic-ai-slim[openai]==2.68.0' <<'PY'
import asyncio

from pydantic_ai import Embedder
from pydantic_ai.embeddings.openai import OpenAIEmbeddingModel
from pydantic_ai.providers.openai import OpenAIProvider
from serve import expect, serve_vectors

provider = OpenAIProvider(base_url=serve_vectors(2, 0, 1), api_key="k")
result = asyncio.run(Embedder(OpenAIEmbeddingModel("m", provider=provider)).embed_documents(["zero", "one", "two"]))
seen = {"pydantic-ai": [list(each) for each in result.embeddings], "by its text": list(result["zero"])}
expect(seen, {"pydantic-ai": [[2.0], [0.0], [1.0]], "by its text": [2.0]})
PY
run_node ai@6.0.326 @ai-sdk/openai-compatible@2.0.92 <<'JS'
import http from "node:http";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { embedMany } from "ai";

const data = [2, 0, 1].map((index) => ({ object: "embedding", index, embedding: [index] }));
const server = http.createServer((request, response) => {
  request.resume().on("end", () => {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ object: "list", model: "m", data, usage: { prompt_tokens: 3, total_tokens: 3 } }));
  });
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const baseURL = `http://127.0.0.1:${server.address().port}/v1`;
const model = createOpenAICompatible({ name: "compatible", baseURL, apiKey: "k" }).embeddingModel("m");
const { embeddings } = await embedMany({ model, values: ["zero", "one", "two"] });
console.log("ai", JSON.stringify(embeddings));
server.close();
server.closeAllConnections();
if (JSON.stringify(embeddings) !== "[[2],[0],[1]]") throw new Error("The behaviour has changed.");
JS
