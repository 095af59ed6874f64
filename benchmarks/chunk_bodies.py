"""Bodies of chat streams whose chunks differ in more than one text, as `server.py` plays them.

Each form is one that services send: arguments of a tool call as OpenAI's models write them, a usage in each chunk
(vLLM with ``continuous_usage_stats``), padding against traffic analysis (``obfuscation``), ``created`` as the time of
the chunk, two choices in turn, and log probabilities with two alternatives.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from event_bodies import PADDING, make_arguments, make_texts

Chunk = dict[str, object]
HEAD: Chunk = {
    "id": "chatcmpl-7d41b6a2f1c84c5e",
    "object": "chat.completion.chunk",
    "created": 1754000000,
    "model": "llama3.3-70b-instruct",
}
NO_USAGE: Chunk = {"usage": None}
CHUNKS_A_SECOND = 50
PROMPT_TOKENS = 43


def make_choice(delta: Chunk, reason: str | None = None, **fields: object) -> Chunk:
    """Return a chunk's only choice as the field that it is in."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
    return {"choices": [choice | fields]}


def make_tool_chunks(number: int) -> Iterator[Chunk]:
    """Yield the arguments of a tool call."""
    function = {"name": "lookup", "arguments": ""}
    call = {"index": 0, "id": "call_68c7a1f2", "type": "function", "function": function}
    yield HEAD | make_choice({"role": "assistant", "content": None, "tool_calls": [call]}) | NO_USAGE
    for part in make_arguments(number):
        yield HEAD | make_choice({"tool_calls": [{"index": 0, "function": {"arguments": part}}]}) | NO_USAGE


def make_usage_chunks(number: int) -> Iterator[Chunk]:
    """Yield texts with the usage so far."""
    for at, text in enumerate(make_texts(number), 1):
        usage = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": at, "total_tokens": PROMPT_TOKENS + at}
        yield HEAD | make_choice({"content": text}) | {"usage": usage}


def make_padded_chunks(number: int) -> Iterator[Chunk]:
    """Yield texts with padding of changing length."""
    for at, text in enumerate(make_texts(number)):
        yield HEAD | make_choice({"content": text}) | NO_USAGE | {"obfuscation": PADDING[: at % 11 + 1]}


def make_dated_chunks(number: int) -> Iterator[Chunk]:
    """Yield texts with the time of each chunk in seconds."""
    for at, text in enumerate(make_texts(number)):
        yield HEAD | {"created": 1754000000 + at // CHUNKS_A_SECOND} | make_choice({"content": text}) | NO_USAGE


def make_interleaved_chunks(number: int) -> Iterator[Chunk]:
    """Yield texts of two choices in turn."""
    for at, text in enumerate(make_texts(number)):
        yield HEAD | make_choice({"content": text}, index=at % 2) | NO_USAGE


def make_logprob_chunks(number: int) -> Iterator[Chunk]:
    """Yield texts with the log probabilities of three tokens."""
    texts = make_texts(number)
    for at, text in enumerate(texts):
        others = [texts[(at + further) % number] for further in (1, 2)]
        tokens = [
            {"token": each, "logprob": -(at % 37 + further) / 100, "bytes": list(each.encode())}
            for further, each in enumerate((text, *others))
        ]
        content = [tokens[0] | {"top_logprobs": tokens[1:]}]
        yield HEAD | make_choice({"content": text}, logprobs={"content": content, "refusal": None}) | NO_USAGE


CHUNK_BODIES: dict[str, Callable[[int], Iterator[Chunk]]] = {
    "chat-tools": make_tool_chunks,
    "chat-usage": make_usage_chunks,
    "chat-padded": make_padded_chunks,
    "chat-dated": make_dated_chunks,
    "chat-two": make_interleaved_chunks,
    "chat-logprobs": make_logprob_chunks,
}


def make_chunk_events(name: str, number: int) -> list[bytes]:
    """Return the server-sent events of the body called *name*, with *number* parts of a text."""
    reason = "tool_calls" if name == "chat-tools" else "stop"
    last = HEAD | make_choice({}, reason) | NO_USAGE
    payloads = [json.dumps(chunk, separators=(",", ":")) for chunk in (*CHUNK_BODIES[name](number), last)]
    return [f"data: {payload}\n\n".encode() for payload in (*payloads, "[DONE]")]
