#!/usr/bin/env bash
# A stream that a function starts and returns breaks in two SDKs: the client inside was collected, and closed it.
#
# Versions:  huggingface_hub 2.4.0, google-genai 3.6.1, openai 3.57.0, groq 1.7.0.
# Input:     `def ask(): return InferenceClient(...).chat_completion(..., stream=True)`, read by the caller, the same with
#            google-genai, and `genai.Client(...).models.generate_content(...)` in one expression; then each with a client
#            that has a name outside.
# Seen:      huggingface_hub closes the stream with its client: the caller gets `StreamClosed` in the place of the first
#            chunk. google-genai refuses to send, "as the client has been closed". Neither happens while something holds
#            the client, nor with openai and groq.
# Matters:   with huggingface_hub the request was sent and is paid, and the code works once the client is global, as in the
#            examples. What a stream is read with is held by the stream.
. "$(dirname "$0")/lib/run.sh"
run_python huggingface_hub==2.4.0 google-genai==3.6.1 openai==3.57.0 groq==1.7.0 <<'PY'
import json

from google import genai
from groq import Groq
from huggingface_hub import InferenceClient
from openai import OpenAI
from serve import MESSAGES, Server, chunk, events, expect, outcome

chat = Server(events(chunk({"role": "assistant", "content": "One"}), chunk({"content": " two"}, "stop")))
part = {"candidates": [{"content": {"role": "model", "parts": [{"text": "One two"}]}, "finishReason": "STOP"}]}
whole, stream = Server(json.dumps(part).encode(), "application/json"), Server(events(part, end=b""))


def hugging_face():
    return InferenceClient(base_url=chat.url, api_key="k")


def gemini(server):
    return genai.Client(api_key="k", http_options={"base_url": server.root})


def ask_hugging_face(client=None):
    return (client or hugging_face()).chat_completion(messages=MESSAGES, stream=True)


def ask_gemini(client=None):
    if client is None:
        return gemini(whole).models.generate_content(model="m", contents="Hi").text
    return client.models.generate_content(model="m", contents="Hi").text


def stream_gemini(client=None):
    return (client or gemini(stream)).models.generate_content_stream(model="m", contents="Hi")


def ask(make, client=None):
    client = client or make(base_url=chat.url, api_key="k")
    return client.chat.completions.create(model="m", messages=MESSAGES, stream=True)


def join(chunks):
    return "".join(each.choices[0].delta.content for each in chunks)


def join_gemini(chunks):
    return "".join(each.text for each in chunks)


clients = hugging_face(), gemini(whole), gemini(stream), OpenAI(base_url=chat.url, api_key="k")
lost, refused = "StreamClosed: Attempted to read or stream content", "RuntimeError: Cannot send a request"
expect(
    {
        "huggingface_hub": outcome(lambda: join(ask_hugging_face())).partition(",")[0],
        "google-genai": outcome(ask_gemini).partition(",")[0],
        "google-genai, stream": outcome(lambda: join_gemini(stream_gemini())).partition(",")[0],
        "openai, groq": [outcome(lambda: join(ask(make))) for make in (OpenAI, Groq)],
        "named": [
            outcome(lambda: join(ask_hugging_face(clients[0]))),
            outcome(lambda: ask_gemini(clients[1])),
            outcome(lambda: join_gemini(stream_gemini(clients[2]))),
            outcome(lambda: join(ask(OpenAI, clients[3]))),
        ],
    },
    {
        "huggingface_hub": lost,
        "google-genai": refused,
        "google-genai, stream": refused,
        "openai, groq": ["One two"] * 2,
        "named": ["One two"] * 4,
    },
)
PY
