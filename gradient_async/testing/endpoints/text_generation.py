"""Text generation: the common part of chat completions, messages and responses.

Contract: pure, but for the token counter, which remembers the cached content.
Source: none; the request fields that the three references share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import attrs

from gradient_async.testing.model.prompt import Completion, Prompt, Tool, resolve_completion
from gradient_async.testing.model.token_counter import TokenCounter
from gradient_async.testing.replies import Reply, Response, encode_event, event_stream


class LanguageModel(Protocol):
    """A model that completes prompts."""

    def complete_prompt(self, prompt: Prompt) -> Completion:
        """Return the completion of *prompt*; equal prompts have equal completions."""


@attrs.frozen(kw_only=True)
class TextGenerationEndpoint:
    """An endpoint with a language model.

    Attributes:
        model: The model that generates the unscripted content.
        known: The slugs of the existing models; None if every model exists.
    """

    model: LanguageModel
    known: Sequence[str] | None = None
    _token_counter: TokenCounter = attrs.field(factory=TokenCounter, init=False)

    def _generate_completion(self, reply: Reply | None, read_prompt: Callable[[], Prompt]) -> Completion:
        """Return the scripted completion, or that of the model."""
        return resolve_completion(reply, lambda: self.model.complete_prompt(read_prompt()))


def override_usage(usage: dict[str, Any], reply: Reply | None) -> dict[str, Any]:
    """Return *usage* with the scripted fields."""
    return usage | dict((reply and reply.usage) or {})


def typed_event_stream(values: Iterable[Mapping[str, Any]]) -> Response:
    """Build a stream of events that are named by their ``type``."""
    return event_stream(encode_event(value, value["type"]) for value in values)


def pick_fields(fields: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return those of the named *fields* that are not null."""
    return {name: fields[name] for name in names if fields.get(name) is not None}


def read_token_limit(fields: Mapping[str, Any], *names: str) -> int | None:
    """Return the smallest of the named limits; None if none is set."""
    return min(pick_fields(fields, *names).values(), default=None)


def read_stop(fields: Mapping[str, Any]) -> Sequence[str]:
    """Return the stop texts: ``stop`` is one text, a list or null."""
    stop = fields.get("stop")
    return [stop] if isinstance(stop, str) else stop or ()


def read_schema(form: Mapping[str, Any], holder: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the JSON Schema that *holder* has for the text, empty for any JSON; None if *form* asks for plain text."""
    if form.get("type", "text") == "text":
        return None
    schema: Mapping[str, Any] = holder.get("schema", {})
    return schema


def read_tool(definition: Mapping[str, Any], parameters: str = "parameters") -> Tool:
    """Translate the definition of a function; *parameters* names the field of its JSON Schema."""
    return Tool(
        name=definition["name"],
        description=definition.get("description", ""),
        parameters=definition.get(parameters, {}),
    )
