"""The model for the bulk of a large job: prose from a small pool, so that 50,000 requests take seconds.

Contract: deterministic; a completion begins with the question. A prompt that needs more than prose (tools, a schema,
stop texts, reasoning) and a question with a known answer go to the real model.
Source: none.
"""

from __future__ import annotations

import re
from zlib import crc32

import attrs

from gradient_async.testing.endpoints.text_generation import LanguageModel
from gradient_async.testing.model.prompt import Completion, Message, Prompt, Token, split_tokens

_POOL_SIZE = 32
_QUOTED_CHARACTERS = 60
_HAS_KNOWN_ANSWER = re.compile(r"capital|\d *[-+*] *\d|^\W*(hi|hello|hey|good)\b", re.IGNORECASE)


@attrs.frozen
class CannedModel:
    """A fast substitute for *model*."""

    model: LanguageModel
    _prose: dict[int, tuple[Token, ...]] = attrs.field(factory=dict, init=False, repr=False)

    def complete_prompt(self, prompt: Prompt) -> Completion:
        """Return the completion of *prompt*."""
        special = prompt.tools or prompt.stop or prompt.effort or prompt.schema is not None
        if special or prompt.last_message.role != "user" or _HAS_KNOWN_ANSWER.search(prompt.question):
            return self.model.complete_prompt(prompt)
        number = crc32(prompt.question.encode(errors="replace")) % _POOL_SIZE
        content = [*split_tokens(f"{prompt.question[:_QUOTED_CHARACTERS]}:"), *self._canned_tokens(number)]
        if prompt.max_tokens is None or len(content) <= prompt.max_tokens:
            return Completion(tokens=content)
        return Completion(tokens=content[: prompt.max_tokens], finish_reason="length")

    def _canned_tokens(self, number: int) -> tuple[Token, ...]:
        if number not in self._prose:
            question = Message(role="user", text=f"Tell me about batch number {number}")
            content = self.model.complete_prompt(Prompt(messages=[question], seed=number)).tokens
            self._prose[number] = (Token(" "), *content)
        return self._prose[number]
