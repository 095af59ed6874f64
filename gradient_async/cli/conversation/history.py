"""The messages of a conversation, as the next request holds them and as they are saved.

Contract: pure. Questions and responses alternate; a question without a response is kept apart, so that it can be sent
again and never stands twice in a request.
"""

from __future__ import annotations

import json
from typing import Any

import attrs

from gradient_async.cli.attachments import Content

Message = dict[str, Any]


@attrs.define
class Conversation:
    """The messages so far.

    Attributes:
        model: Model of the next request, None for that of an agent.
        system: System instructions, None without any.
        messages: Questions and responses, in turn.
        unanswered: The last question, if no response came.
    """

    model: str | None = None
    system: str | None = None
    messages: list[Message] = attrs.field(factory=list)
    unanswered: Content | None = None

    def build_messages(self, question: Content, messages: list[Message] | None = None) -> list[Message]:
        """Return the messages of a request for *question*, after *messages* instead of all so far."""
        instructions = [{"role": "system", "content": self.system}] if self.system else []
        earlier = self.messages if messages is None else messages
        return [*instructions, *earlier, {"role": "user", "content": question}]

    def find_last_question(self) -> tuple[Content, list[Message]] | None:
        """Return the question to send again and the messages before it, None before the first."""
        if self.unanswered is not None:
            return self.unanswered, self.messages
        return (self.messages[-2]["content"], self.messages[:-2]) if self.messages else None

    def add_exchange(self, question: Content, answer: str, messages: list[Message] | None = None) -> None:
        """Keep a question and its response, after *messages* instead of all so far; without a text, the question."""
        if not answer:
            self.unanswered = question
            return
        earlier = self.messages if messages is None else messages
        self.unanswered = None
        self.messages = [*earlier, {"role": "user", "content": question}, {"role": "assistant", "content": answer}]

    def clear_messages(self) -> None:
        """Forget every message; model and system instructions stay."""
        self.messages, self.unanswered = [], None

    def format_json(self) -> str:
        """Return the conversation as JSON: the parameters of a request that would continue it."""
        instructions = [{"role": "system", "content": self.system}] if self.system else []
        return json.dumps({"model": self.model, "messages": [*instructions, *self.messages]}, ensure_ascii=False)

    def format_markdown(self) -> str:
        """Return the conversation as text with a heading for each message."""
        instructions = [{"role": "system", "content": self.system}] if self.system else []
        return "\n".join(
            f"## {message['role'].capitalize()}\n\n{describe_content(message['content']).strip()}\n"
            for message in [*instructions, *self.messages]
        )


def parse_conversation(text: str) -> Conversation:
    """Return the conversation that `Conversation.format_json` wrote.

    Raises:
        ValueError: *text* is something else.
    """
    try:
        saved = json.loads(text)
        messages = [{"role": each["role"], "content": each["content"]} for each in saved["messages"]]
        model = saved.get("model")
    except (TypeError, KeyError, AttributeError):
        raise ValueError("not a conversation") from None
    system = messages.pop(0)["content"] if messages and messages[0]["role"] == "system" else None
    if [each["role"] for each in messages] != ["user", "assistant"] * (len(messages) // 2):
        raise ValueError("not a conversation")
    return Conversation(model=model, system=system, messages=messages)


def describe_content(content: Content) -> str:
    """Return the text of a message; an image is only mentioned."""
    if isinstance(content, str):
        return content
    return "\n\n".join(str(part.get("text", "(an image)")) for part in content)
