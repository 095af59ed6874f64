"""Assembles the log probabilities of a choice from those of its chunks.

Contract: as `chat_accumulator`. Those of a run of chunks stay JSON text until somebody reads the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from gradient_async._protocol.stream.accelerators.chunk_template import logprobs_reader
from gradient_async.models import Logprobs, TokenLogprob
from gradient_async.models._base import Model


@attrs.define(eq=False, repr=False)
class LogprobsBuilder:
    """The log probabilities of a choice, as far as its chunks have arrived: the `LazySource` of the results.

    Attributes:
        parts: Those of each chunk, as JSON text or decoded.
    """

    all_fields_known = True
    parts: list[Logprobs | str] = attrs.field(factory=list)

    def add(self, part: Logprobs) -> None:
        """Add the log probabilities of a chunk."""
        self.parts.append(Logprobs(content=_copy_tokens(part.content), refusal=_copy_tokens(part.refusal)))

    def add_texts(self, texts: Sequence[str]) -> None:
        """Add the log probabilities of chunks in a row, which were checked before, as JSON text."""
        self.parts.extend(texts)

    def build_logprobs(self) -> Logprobs:
        """Return the log probabilities so far: assembled when they are read, and not changed by later chunks."""
        logprobs: Logprobs = object.__new__(Logprobs)
        logprobs._raw = (self, len(self.parts))
        return logprobs

    def assemble_model(self, number: int) -> Logprobs:
        """Return the first *number* parts as one."""
        known = Logprobs()
        for part in map(self._decode_part, range(number)):
            known.content = _extend_tokens(known.content, part.content)
            known.refusal = _extend_tokens(known.refusal, part.refusal)
        return known

    def load_object(self, _cls: type[Model], number: int) -> Any:
        """Return the first *number* parts as one JSON object."""
        return self.assemble_model(number).to_dict()

    def _decode_part(self, at: int) -> Logprobs:
        part = self.parts[at]
        if isinstance(part, str):
            part = self.parts[at] = logprobs_reader()(part.encode())
        return part


def _copy_tokens(tokens: list[TokenLogprob] | None) -> list[TokenLogprob] | None:
    return None if tokens is None else tokens.copy()


def _extend_tokens(known: list[TokenLogprob] | None, new: list[TokenLogprob] | None) -> list[TokenLogprob] | None:
    """Return *known*, extended in place by *new*; a new list if *known* is None and *new* is not."""
    if new is None:
        return known
    known = [] if known is None else known
    known.extend(new)
    return known
