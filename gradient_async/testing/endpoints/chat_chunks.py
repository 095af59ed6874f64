"""A chat completion cut into the chunks of a stream.

Contract: pure; chunks of several choices take turns. Each token is a delta; a tool call comes as its id and
name, then its arguments in pieces. ``usage`` is null on every chunk but the extra last one, and absent unless
it was asked for.
Source: the streaming section of the Inference API overview; ``stream_options`` of the Agent Inference
reference.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gradient_async.testing.model.prompt import Call, Token, Turn

_ARGUMENTS_PIECE = 8


def chunks(
    head: Mapping[str, Any],
    fields: Mapping[str, Any],
    turns: Sequence[Turn],
    *,
    usage: Mapping[str, Any],
    extras: Mapping[str, Any],
) -> Iterator[dict[str, Any]]:
    """Yield the chunk objects of an answer.

    Args:
        head: Its ``id``, ``object``, ``created`` and ``model``.
        fields: The body of the request.
        turns: What is said, one for each choice.
        usage: The ``usage`` object, sent if the request asks for it.
        extras: Further top-level fields: null at first, their values on the chunk that ends the last choice.
    """
    wants_usage = (fields.get("stream_options") or {}).get("include_usage") is True
    common = {**head, "object": "chat.completion.chunk"}
    tail = {"usage": None} if wants_usage else {}
    choices = list(_take_turns([_choices(index, turn, fields) for index, turn in enumerate(turns)]))
    for choice in choices[:-1]:
        yield {**common, "choices": [choice], **dict.fromkeys(extras), **tail}
    yield {**common, "choices": choices[-1:], **extras, **tail}
    if wants_usage:
        yield {**common, "choices": [], "usage": usage}


def logprobs(tokens: Sequence[Token], fields: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the ``logprobs`` object of *tokens*; None unless the request asks for it."""
    if not fields.get("logprobs"):
        return None
    top = fields.get("top_logprobs") or 0
    return {"content": [_logprob(token, top) for token in tokens], "refusal": None}


def _logprob(token: Token, top: int) -> dict[str, Any]:
    likeliest = token.top or ((token.text, token.logprob),)
    return {
        **_entry(token.text, token.logprob),
        "top_logprobs": [_entry(text, logprob) for text, logprob in likeliest[:top]],
    }


def _entry(text: str, logprob: float) -> dict[str, Any]:
    return {"token": text, "logprob": logprob, "bytes": list(text.encode(errors="surrogatepass"))}


def _take_turns(sources: Sequence[Iterator[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    rounds = itertools.zip_longest(*sources)
    return (choice for one_each in rounds for choice in one_each if choice is not None)


def _choices(index: int, turn: Turn, fields: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    role = {"role": "assistant"}
    for delta, token in _deltas(turn):
        spoken = logprobs([token], fields) if token else None
        yield {"index": index, "delta": {**role, **delta}, "finish_reason": None, "logprobs": spoken}
        role = {}
    yield {"index": index, "delta": {}, "finish_reason": turn.finish_reason, "logprobs": None}


def _deltas(turn: Turn) -> Iterator[tuple[dict[str, Any], Token | None]]:
    for token in turn.reasoning:
        yield {"reasoning_content": token.text}, None
    for token in turn.tokens or _silence(turn):
        yield {"content": token.text}, token
    for index, call in enumerate(turn.calls):
        yield from (({"tool_calls": [{"index": index, **part}]}, None) for part in _parts(call))


def _silence(turn: Turn) -> Sequence[Token]:
    """Return an empty token where nothing else would carry the role."""
    return () if turn.calls or turn.reasoning else (Token(""),)


def _parts(call: Call) -> Iterator[dict[str, Any]]:
    yield {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
    for start in range(0, len(call.arguments), _ARGUMENTS_PIECE):
        yield {"function": {"arguments": call.arguments[start : start + _ARGUMENTS_PIECE]}}
