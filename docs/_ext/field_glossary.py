"""The meaning of fields that have the same one in every class, for entries without a text of their own.

Contract: a class that documents a field itself is never overruled. An entry that has no text in the end is a warning,
and so an error in ``make docs`` and in the tests: the reference has no empty entries.
"""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx
from sphinx.util import logging

_LOGGER = logging.getLogger(__name__)
_RESET = "in epoch seconds on the service's clock; 0 if there is capacity now, None without such a header."
_RATE = "as the response's headers state it; None without such a header."

GLOSSARY = {
    "answers": "The answer to each question, by the question's name.",
    "arguments": "The arguments as JSON text, as the model wrote it.",
    "batch_id": "The id of the job.",
    "bytes": "The token's text as UTF-8 bytes; None if the service left it out.",
    "cache_created_input_tokens": "Tokens of the prompt that were written to the cache.",
    "cache_creation": "The same by the lifetime of the cache.",
    "cache_creation_input_tokens": "Tokens of the prompt that were written to the cache.",
    "cache_read_input_tokens": "Tokens of the prompt that were read from the cache.",
    "cached_tokens": "Tokens of the prompt that were read from the cache.",
    "call_id": "The id by which the result of a call refers to it.",
    "called_functions": "The names of the functions.",
    "cancel_requested_at": "When it was asked to be cancelled; None if it was not.",
    "cancelled_at": "When it was cancelled; None if it was not.",
    "chat": "What can be asked in a chat.",
    "choices": "The choices, in the order of their index.",
    "completed": "The number of requests with a response.",
    "completed_at": "When it was completed; None before.",
    "completion_tokens": "Tokens that the model generated.",
    "completion_window": "How long the job may take, as ``24h``.",
    "completions": "Chat completions.",
    "content": "What it contains, in order.",
    "created": "When it was created, in seconds since 1970.",
    "created_at": "When it was created.",
    "data": "The items, in the order in which they arrived.",
    "delta": "What this event adds.",
    "embedding": "The vector.",
    "endpoint": "The path of every request of the job.",
    "ephemeral_1h_input_tokens": "Tokens that were written to the cache for an hour.",
    "ephemeral_5m_input_tokens": "Tokens that were written to the cache for five minutes.",
    "error_file_id": "The id of the file with the failed requests; None if there is none.",
    "expires_at": "When the addresses stop working.",
    "failed": "The number of requests with an error.",
    "failed_at": "When it failed; None if it did not.",
    "finalizing_at": "When its results began to be collected; None before.",
    "finish_reason": "Why the choice ended: ``stop``, ``length``, ``tool_calls`` or another; None before its end.",
    "function": "The function: its name, and arguments or parameters.",
    "functions": "The functions of an agent that were called.",
    "guard": "Seconds added to every window.",
    "guardrails": "The guardrails of an agent that were triggered.",
    "id": "The id that the service gave it.",
    "image_tokens": "Tokens of the images.",
    "in_progress_at": "When its first request was begun; None before.",
    "incomplete_details": "Why it is incomplete; None if it is complete.",
    "index": "The position among its siblings, from 0.",
    "input_file_id": "The id of the file with the requests.",
    "input_tokens": "Tokens of the prompt.",
    "input_tokens_details": "The same by kind.",
    "item": "The item that begins or ends with this event.",
    "item_id": "The id of the item that the event belongs to.",
    "limit": f"The requests of the key's window, {_RATE}",
    "limit_requests": f"The requests that the model may take, {_RATE}",
    "limit_tokens_per_day": f"The tokens that the model may take in a day, {_RATE}",
    "limit_tokens_per_minute": f"The tokens that the model may take in a minute, {_RATE}",
    "logprob": "The logarithm of the token's probability.",
    "logprobs": "The probabilities of the tokens, if they were asked for.",
    "max_event_bytes": "The size in bytes at which an event is refused.",
    "message": "The message of the model.",
    "metadata": "Your own names and values, as they were given.",
    "model": "The model that did the work, as the service names it.",
    "model_id": "The model that does the work.",
    "name": "The name of the function that is called.",
    "object": "The kind of the object, as the service names it.",
    "output_file_id": "The id of the file with the results; None before there is one.",
    "output_format": "The format of the image: ``png``, ``jpeg`` or ``webp``.",
    "output_tokens": "Tokens that the model generated.",
    "output_tokens_details": "The same by kind.",
    "owned_by": "Who made the model.",
    "part": "The part that begins or ends with this event.",
    "partial_json": "A piece of the arguments of a call, as JSON text.",
    "prompt_tokens": "Tokens of the prompt.",
    "provider": "The format of the job's lines: ``openai`` or ``anthropic``.",
    "quality": "The quality of the image.",
    "reason": "The reason, as the service names it.",
    "reasoning": "A piece of the model's thoughts, from services that call them so.",
    "reasoning_content": "A piece of the model's thoughts.",
    "reasoning_tokens": "Tokens of the model's thoughts.",
    "refusal": "Why the model refuses; None if it does not.",
    "remaining": f"The requests that are left in the key's window, {_RATE}",
    "remaining_requests": f"The requests that are left to the model, {_RATE}",
    "remaining_tokens_per_day": f"The tokens that are left to the model today, {_RATE}",
    "remaining_tokens_per_minute": f"The tokens that are left to the model in this minute, {_RATE}",
    "request_id": "The id by which the creation of the job may be repeated.",
    "reset": f"When the key's window is free again, {_RESET}",
    "reset_requests": f"When the model's requests are all free again, {_RESET}",
    "reset_tokens_per_day": f"When the tokens of the day are all free again, {_RESET}",
    "reset_tokens_per_minute": f"When the tokens of the minute are all free again, {_RESET}",
    "result_available": "Whether results can be downloaded.",
    "results": "The results, in the order in which they arrived.",
    "retrieval": "What an agent found in its knowledge bases.",
    "retrieved_data": "The passages.",
    "retry_after": f"The seconds to wait, {_RATE}",
    "role": "Who speaks: ``assistant``, ``user`` or another.",
    "rule_name": "The rule that was triggered.",
    "score": "How well it fits; only the order means something.",
    "sequence_number": "The position of the event in its stream.",
    "service_tier": "The tier that the request was served with.",
    "signature": "What proves that thoughts are the model's own; send it back unchanged.",
    "size": "The size of the image in pixels, as ``1024x1024``.",
    "started_at": "When the work began; None before.",
    "status": "How far it is.",
    "stop_reason": "Why the message ends; None before its end.",
    "stop_sequence": "The stop sequence that ended the message; None if another reason did.",
    "system_fingerprint": "The configuration of the model, as the service names it.",
    "text": "The text; None if it has none.",
    "text_tokens": "Tokens of the text.",
    "thinking": "The model's thoughts; None if it has none.",
    "token": "The text of the token.",
    "tool_calls": "The calls of tools.",
    "tool_output_tokens": "Tokens of the results of tools.",
    "top_logprobs": "The likeliest tokens at this place.",
    "total": "The number of all requests.",
    "total_tokens": "Tokens of prompt and response together.",
    "triggered_guardrails": "The guardrails, with their rules.",
    "type": "The kind, as the service names it.",
    "updated_at": "When the service last changed it.",
    "usage": "The tokens that are billed; None if the service did not state them.",
}


def fill_entry(_app: Sphinx, what: str, name: str, _obj: object, _options: Any, lines: list[str]) -> None:
    """Give an entry without a text the one of the glossary, or warn."""
    if any(line.strip() for line in lines):
        return
    text = GLOSSARY.get(name.rpartition(".")[2]) if what in {"attribute", "property"} else None
    if text:
        lines[:] = [text, ""]
    elif what != "module":
        _LOGGER.warning("%s has no text: document it where it is defined, or in field_glossary.py", name)


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect to the docstrings, after everything else that changes them."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", fill_entry, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
