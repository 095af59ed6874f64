"""The attributes of calls and tools in OpenTelemetry's conventions for generative AI.

Contract: pure. What the service did not state is left out: no count is zero because it is missing. Neither prompts,
responses nor keys are in the attributes.
Source: https://github.com/open-telemetry/semantic-conventions-genai, release 0.1.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from gradient_async import AttemptDetails, CallDetails, CallOutcome, Usage
from gradient_async.integrations._provider import PROVIDER
from gradient_async.integrations._usage import token_details
from gradient_async.models._base import Model
from gradient_async.models.messages import MessageUsage
from gradient_async.models.responses import ResponseUsage

Attributes = dict[str, Any]

_CHAT = "/v1/chat/completions"


class Operation(NamedTuple):
    """The operation of an endpoint.

    Attributes:
        name: Its name in the conventions.
        output: The type of output that is asked for; None if that depends on the parameters.
    """

    name: str
    output: str | None = None


_OPERATIONS = {
    f"/api{_CHAT}": Operation("invoke_agent"),
    _CHAT: Operation("chat"),
    "/v1/messages": Operation("chat"),
    "/v1/responses": Operation("chat"),
    "/v1/embeddings": Operation("embeddings"),
    "/v1/images/generations": Operation("generate_content", "image"),
    "/v1/async-invoke": Operation("generate_content"),
    "/v1/audio/speech": Operation("generate_content", "speech"),
    "/v1/videos": Operation("generate_content"),
}
_RETRIEVAL = Operation("retrieval")
_RETRIEVAL_PATH = re.compile(r"/v1/([^/]+)/retrieve")
_NUMBERS = {
    "dimensions": "gen_ai.embeddings.dimension.count",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "max_completion_tokens": "gen_ai.request.max_tokens",
    "max_output_tokens": "gen_ai.request.max_tokens",
    "max_tokens": "gen_ai.request.max_tokens",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "seed": "gen_ai.request.seed",
    "temperature": "gen_ai.request.temperature",
    "top_k": "gen_ai.request.top_k",
    "top_p": "gen_ai.request.top_p",
}
_COUNTS = {
    "prompt_tokens": "input_tokens",
    "input_tokens": "input_tokens",
    "completion_tokens": "output_tokens",
    "output_tokens": "output_tokens",
}
_DEFAULT_PORTS = {"https": 443, "http": 80}


def find_operation(call: CallDetails) -> Operation | None:
    """Return the operation of a call, None for a call that neither generates nor retrieves anything."""
    if call.method != "POST":
        return None
    if call.model is None and call.url.endswith(_CHAT):  # an agent may be called at this path too
        return Operation("invoke_agent")
    if _find_data_source(call.url) is not None:
        return _RETRIEVAL
    return next((_OPERATIONS[path] for path in _OPERATIONS if call.url.endswith(path)), None)


def _find_data_source(url: str) -> str | None:
    """Return the id of the knowledge base that passages are retrieved from at *url*, None for any other address."""
    found = _RETRIEVAL_PATH.search(url)
    return unquote(found[1]) if found is not None and found.end() == len(url) else None


def common_attributes(operation: str, model: str | None, url: str | None = None) -> Attributes:
    """Return the attributes of both spans and metrics."""
    attributes: Attributes = {"gen_ai.operation.name": operation, "gen_ai.provider.name": PROVIDER}
    if model is not None:
        attributes["gen_ai.request.model"] = model
    if url is not None:
        parts = urlsplit(url)
        attributes["server.address"] = parts.hostname or ""
        attributes["server.port"] = parts.port or _DEFAULT_PORTS[parts.scheme]
    return attributes


def request_attributes(call: CallDetails, operation: Operation) -> Iterator[tuple[str, Any]]:
    """Iterate over the attributes of the parameters of a call."""
    params = call.params
    if operation is _RETRIEVAL:
        yield from _retrieval_attributes(call)
    for name, attribute in _NUMBERS.items():
        if isinstance(number := params.get(name), int | float):
            yield attribute, number
    yield from _text_attributes(params)
    if call.stream:
        yield "gen_ai.request.stream", True
    if isinstance(count := params.get("n"), int) and count != 1:
        yield "gen_ai.request.choice.count", count
    if stop := params.get("stop") or params.get("stop_sequences"):
        yield "gen_ai.request.stop_sequences", [stop] if isinstance(stop, str) else list(stop)
    if output := operation.output or _find_output(params.get("response_format")):
        yield "gen_ai.output.type", output


def _retrieval_attributes(call: CallDetails) -> Iterator[tuple[str, Any]]:
    yield "gen_ai.data_source.id", _find_data_source(call.url)
    if isinstance(count := call.params.get("num_results"), int):
        yield "gen_ai.retrieval.top_k", count


def _text_attributes(params: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    reasoning = params.get("reasoning")
    effort = reasoning.get("effort") if isinstance(reasoning, Mapping) else params.get("reasoning_effort")
    if isinstance(effort, str):
        yield "gen_ai.request.reasoning.level", effort
    if isinstance(previous := params.get("previous_response_id"), str):
        yield "gen_ai.request.previous_response.id", previous
    if isinstance(encoding := params.get("encoding_format"), str):
        yield "gen_ai.request.encoding_formats", [encoding]


def _find_output(response_format: Any) -> str | None:
    """Return the type of output that ``response_format`` asks for."""
    kind = response_format.get("type") if isinstance(response_format, Mapping) else None
    return {"json_object": "json", "json_schema": "json", "text": "text"}.get(kind or "")


def attempt_attributes(attempt: AttemptDetails) -> Iterator[tuple[str, Any]]:
    """Iterate over the attributes of an attempt."""
    yield "gradient.attempt", attempt.attempt
    yield "gradient.limiter_wait", attempt.limiter_wait
    if attempt.status is not None:
        yield "http.response.status_code", attempt.status
    if attempt.request_id is not None:
        yield "gradient.request_id", attempt.request_id
    if attempt.cancelled:
        yield "gradient.cancelled", True
    if attempt.error is not None:
        yield "error.type", type(attempt.error).__name__


def response_attributes(call: CallOutcome, *, counts_output: bool) -> Iterator[tuple[str, Any]]:
    """Iterate over the attributes of the end of a call."""
    result = call.result
    yield "gradient.outcome", call.outcome
    for attribute, field in (("gen_ai.response.id", "id"), ("gen_ai.response.model", "model")):
        if isinstance(value := getattr(result, field, None), str) and value:
            yield attribute, value
    if reasons := _finish_reasons(result):
        yield "gen_ai.response.finish_reasons", reasons
    if (seconds := first_chunk_seconds(result)) is not None:
        yield "gen_ai.response.time_to_first_chunk", seconds
    for kind, count in count_tokens(result, counts_output=counts_output).items():
        yield f"gen_ai.usage.{kind}", count


def _finish_reasons(result: Any) -> list[str]:
    """Return the finish reason of each choice; ``error`` stands for one that did not arrive."""
    choices = getattr(result, "choices", None)
    reasons = [choice.finish_reason for choice in choices or ()]
    if choices is None and hasattr(result, "stop_reason"):
        reasons = [result.stop_reason]
    return [reason if isinstance(reason, str) and reason else "error" for reason in reasons]


def first_chunk_seconds(result: Any) -> float | None:
    """Return the time to the first text of a stream, without the waits for the rate limiter; None if there was none."""
    timings = getattr(getattr(result, "meta", None), "timings", None)
    if timings is None or timings.first_token is None:
        return None
    return max(float(timings.first_token - timings.limiter_wait), 0.0)


def count_tokens(result: Any, *, counts_output: bool) -> dict[str, int]:
    """Return the tokens that a result states, by the last part of the attribute's name.

    The conventions count cached tokens as input. So does every API except that of messages.

    Args:
        result: A result, possibly without usage.
        counts_output: Whether output is counted; not so for embeddings, whose usage may have a zero for it.
    """
    usage = getattr(result, "usage", None)
    if not isinstance(usage, Model):
        return {}
    counts = {kind: count for name, kind in _COUNTS.items() if (count := _stated_count(usage, name)) is not None}
    details = {kind: count for kind, count in _detail_counts(usage).items() if count is not None}
    if isinstance(usage, MessageUsage) and "input_tokens" in counts:
        counts["input_tokens"] += sum(count for kind, count in details.items() if kind.endswith("input_tokens"))
    counts |= details
    return counts if counts_output else {kind: count for kind, count in counts.items() if "input" in kind}


def _detail_counts(usage: Model) -> dict[str, int | None]:
    """Return the parts of the input and output that came from a cache, went into one, or were reasoning."""
    read: int | None = None
    written: int | None = None
    reasoning: int | None = None
    if isinstance(usage, Usage):
        details = token_details(usage)
        read, written, reasoning = details.cache_read, details.cache_created, details.reasoning
    elif isinstance(usage, MessageUsage):
        read, written = usage.cache_read_input_tokens, usage.cache_creation_input_tokens
    elif isinstance(usage, ResponseUsage):
        read = _stated_count(usage.input_tokens_details, "cached_tokens")
        reasoning = _stated_count(usage.output_tokens_details, "reasoning_tokens")
    return {
        "cache_read.input_tokens": read,
        "cache_write.input_tokens": written,
        "reasoning.output_tokens": reasoning,
    }


def _stated_count(usage: Model | None, name: str) -> int | None:
    """Return a count, None if it is zero because the service did not send it."""
    count = getattr(usage, name, None)
    if usage is None or not isinstance(count, int):
        return None
    return count if count or name in usage.raw else None


def error_attributes(error: BaseException | None) -> dict[str, str]:
    """Return the attribute of an error: its HTTP status, else its class."""
    if error is None:
        return {}
    return {"error.type": str(getattr(error, "status", None) or type(error).__name__)}
