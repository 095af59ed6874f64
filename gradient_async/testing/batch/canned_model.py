"""The model that answers the bulk of a large job: prose from a small pool, so that 50,000 requests take seconds.

Contract: deterministic; each answer begins with the question it answers. Whatever needs more than prose, or
has an answer that can be known, is passed on.
Source: none.
"""

from __future__ import annotations

import re
from zlib import crc32

import attrs

from gradient_async.testing.endpoints.chat import Model
from gradient_async.testing.model.prompt import Message, Prompt, Token, Turn, tokens

_POOL = 32
_QUOTED = 60
_KNOWABLE = re.compile(r"capital|\d *[-+*] *\d|^\W*(hi|hello|hey|good)\b", re.IGNORECASE)


@attrs.frozen
class Pool:
    """A fast stand-in for *model*."""

    model: Model
    _prose: dict[int, tuple[Token, ...]] = attrs.field(factory=dict, init=False, repr=False)

    def turn(self, prompt: Prompt) -> Turn:
        """Answer *prompt*."""
        special = prompt.tools or prompt.stop or prompt.effort or prompt.schema is not None
        if special or prompt.last.role != "user" or _KNOWABLE.search(prompt.question):
            return self.model.turn(prompt)
        number = crc32(prompt.question.encode(errors="replace")) % _POOL
        said = [*tokens(f"{prompt.question[:_QUOTED]}:"), *self._said(number)]
        if prompt.max_tokens is None or len(said) <= prompt.max_tokens:
            return Turn(tokens=said)
        return Turn(tokens=said[: prompt.max_tokens], finish_reason="length")

    def _said(self, number: int) -> tuple[Token, ...]:
        if number not in self._prose:
            asked = Message(role="user", text=f"Tell me about batch number {number}")
            said = self.model.turn(Prompt(messages=[asked], seed=number)).tokens
            self._prose[number] = (Token(" "), *said)
        return self._prose[number]
