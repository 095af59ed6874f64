"""The chunks of a streamed chat completion.

Contract: pure; the chunks of several choices alternate. Each token is one delta; a tool call is its id and name, then
its arguments in pieces. If the request asks for usage, every chunk has a null ``usage`` except an extra last one with
the counts; else no chunk has the field.
Source: the streaming section of the Inference API overview; ``stream_options`` of the Agent Inference
reference.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gradient_async.testing.model.prompt import Completion, Token


def build_chunks(
    head: Mapping[str, Any],
    fields: Mapping[str, Any],
    completions: Sequence[Completion],
    *,
    usage: Mapping[str, Any],
    extras: Mapping[str, Any],
) -> Iterator[dict[str, Any]]:
    """Yield the chunk objects of a completion.

    Args:
        head: The ``id``, ``object``, ``created`` and ``model``.
        fields: The body of the request.
        completions: The content of each choice.
        usage: The ``usage`` object, sent if the request asks for it.
        extras: Further top-level fields: null, and with their values on the chunk that ends the last choice.
    """
    wants_usage = (fields.get("stream_options") or {}).get("include_usage") is True
    common = {**head, "object": "chat.completion.chunk"}
    tail = {"usage": None} if wants_usage else {}
    by_choice = [_choice_chunks(index, completion, fields) for index, completion in enumerate(completions)]
    rounds = itertools.zip_longest(*by_choice)
    choices = [choice for one_each in rounds for choice in one_each if choice is not None]
    for choice in choices[:-1]:
        yield {**common, "choices": [choice], **dict.fromkeys(extras), **tail}
    yield {**common, "choices": choices[-1:], **extras, **tail}
    if wants_usage:
        yield {**common, "choices": [], "usage": usage}


def format_logprobs(tokens: Sequence[Token], fields: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the ``logprobs`` object of *tokens*; None if the request does not ask for it."""
    if not fields.get("logprobs"):
        return None
    top = fields.get("top_logprobs") or 0
    return {"content": [_format_logprob(token, top) for token in tokens], "refusal": None}


def _format_logprob(token: Token, top: int) -> dict[str, Any]:
    alternatives = token.top or ((token.text, token.logprob),)
    return {
        **_logprob_entry(token.text, token.logprob),
        "top_logprobs": [_logprob_entry(text, logprob) for text, logprob in alternatives[:top]],
    }


def _logprob_entry(text: str, logprob: float) -> dict[str, Any]:
    return {"token": text, "logprob": logprob, "bytes": list(text.encode(errors="surrogatepass"))}


def _choice_chunks(index: int, completion: Completion, fields: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    role = {"role": "assistant"}
    for delta, token in _choice_deltas(completion):
        token_logprobs = format_logprobs([token], fields) if token else None
        yield {"index": index, "delta": {**role, **delta}, "finish_reason": None, "logprobs": token_logprobs}
        role = {}
    yield {"index": index, "delta": {}, "finish_reason": completion.finish_reason, "logprobs": None}


def _choice_deltas(completion: Completion) -> Iterator[tuple[dict[str, Any], Token | None]]:
    for token in completion.reasoning:
        yield {"reasoning_content": token.text}, None
    role_carrier = () if completion.calls or completion.reasoning else (Token(""),)
    for token in completion.tokens or role_carrier:
        yield {"content": token.text}, token
    for index, call in enumerate(completion.calls):
        head: dict[str, Any] = {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
        pieces = [{"function": {"arguments": piece}} for piece in call.argument_pieces]
        for part in (head, *pieces):
            yield {"tool_calls": [{"index": index, **part}]}, None
