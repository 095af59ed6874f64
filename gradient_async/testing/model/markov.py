"""A chain over the words of a text: the likeliest next words, and a draw among them.

Contract: pure and deterministic, chance is an argument. Two words of context count for most, one word for the
rest.
Source: the sampling parameters of chat completions: temperature and penalties act on logits, then top_p cuts.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from random import Random

import attrs

from gradient_async.testing.model.prompt import Prompt, Token

_CONTEXT = 0.8
_MOST = 20
_GREEDY = 0.01

Context = tuple[str, str]


@attrs.frozen
class Chain:
    """What followed each pair of words, and each single word, how often."""

    _after_two: Mapping[Context, Counter[str]]
    _after_one: Mapping[str, Counter[str]]

    @classmethod
    def of(cls, sentences: Iterable[Sequence[str]]) -> Chain:
        """Count the words of *sentences*."""
        after_two: dict[Context, Counter[str]] = defaultdict(Counter)
        after_one: dict[str, Counter[str]] = defaultdict(Counter)
        for words in sentences:
            for first, second, third in zip(words, words[1:], words[2:], strict=False):
                after_two[first, second][third] += 1
                after_one[second][third] += 1
        return cls(after_two, after_one)

    def next(self, context: Context) -> dict[str, float]:
        """Return the probability of each word after *context*; a full stop where none was seen."""
        mixed: Counter[str] = Counter()
        for weight, counts in (
            (_CONTEXT, self._after_two.get(context)),
            (1 - _CONTEXT, self._after_one.get(context[1])),
        ):
            total = sum(counts.values()) if counts else 0
            for word, count in counts.items() if counts else ():
                mixed[word] += weight * count / total  # type: ignore[assignment]  # Counter is typed for int
        whole = sum(mixed.values())
        return {word: share / whole for word, share in mixed.items()} or {".": 1.0}


def draw(odds: Mapping[str, float], prompt: Prompt, used: Mapping[str, int], random: Random) -> Token:
    """Draw the next word, as the sampling parameters of *prompt* want it.

    Args:
        odds: The probability of each word.
        prompt: Where temperature, top_p and the penalties are.
        used: How often each word was used so far.
        random: The source of chance; one number is taken from it, whatever the parameters are.
    """
    chance = random.random()
    logits = {word: math.log(share) - _penalty(prompt, used.get(word, 0)) for word, share in odds.items()}
    ranked = sorted(logits.items(), key=lambda item: (-item[1], item[0]))
    top = tuple((word, round(logit, 6)) for word, logit in _normalised(ranked)[:_MOST])
    word = _pick(ranked, prompt, chance)
    return Token(word, dict(top).get(word, -9999.0), top)


def _penalty(prompt: Prompt, count: int) -> float:
    return prompt.frequency_penalty * count + prompt.presence_penalty * (count > 0)


def _normalised(ranked: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    total = math.log(sum(math.exp(logit) for _, logit in ranked))
    return [(word, logit - total) for word, logit in ranked]


def _pick(ranked: Sequence[tuple[str, float]], prompt: Prompt, chance: float) -> str:
    if prompt.temperature < _GREEDY:
        return ranked[0][0]
    heated = _normalised([(word, logit / prompt.temperature) for word, logit in ranked])
    nucleus = _nucleus([(word, math.exp(logit)) for word, logit in heated], prompt.top_p)
    left = chance * sum(share for _, share in nucleus)
    for word, share in nucleus:
        left -= share
        if left <= 0:
            return word
    return nucleus[-1][0]


def _nucleus(ranked: Sequence[tuple[str, float]], top_p: float) -> list[tuple[str, float]]:
    kept: list[tuple[str, float]] = []
    mass = 0.0
    for word, share in ranked:
        if kept and mass >= top_p:
            break
        kept.append((word, share))
        mass += share
    return kept
