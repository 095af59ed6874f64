"""A second-order Markov chain over words, sampled like a language model.

Contract: pure and deterministic; the random generator is an argument.
Source: the sampling parameters of chat completions: penalties and temperature act on logits, then top_p selects.

The chain counts which word followed each pair of words and each single word. The probability of the next word mixes
both: 0.8 of the weight for the pair, 0.2 for the last word. Example, for the sentences "the sea is far." and "the sea
is old." and "a bus is late.": after ("sea", "is") the pair gives {far: 1/2, old: 1/2}, the word "is" gives {far: 1/3,
old: 1/3, late: 1/3}. Mixed: far 0.8/2 + 0.2/3 = 0.467, old 0.467, late 0.067.

`sample_token` then works on logits: subtract the repetition penalties; rank; at a temperature near 0 take the first
word. Otherwise divide the logits by the temperature, keep the most probable words until they hold *top_p* of the mass,
and take the word at which the cumulated probability reaches a random number. All but the last step is the same whenever
the chain comes to the same words, so its result is kept: without that, most of the time of a response was spent there.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from random import Random

import attrs

from gradient_async.testing.model.prompt import Prompt, Token

_PAIR_WEIGHT = 0.8
"""The weight of the last two words; the rest is the weight of the last word alone."""
_MAX_ALTERNATIVES = 20
"""The most ``top_logprobs`` that a request may ask for."""
_GREEDY_BELOW = 0.01
"""The temperature below which the most probable word is taken."""

Context = tuple[str, str]


@attrs.frozen
class MarkovChain:
    """Counts of the words that followed each pair of words, and each single word."""

    _after_two: Mapping[Context, Counter[str]]
    _after_one: Mapping[str, Counter[str]]
    _known: dict[Context, Mapping[str, float]] = attrs.field(factory=dict, init=False)

    @classmethod
    def from_sentences(cls, sentences: Iterable[Sequence[str]]) -> MarkovChain:
        """Count the successions of words in *sentences*."""
        after_two: dict[Context, Counter[str]] = defaultdict(Counter)
        after_one: dict[str, Counter[str]] = defaultdict(Counter)
        for words in sentences:
            for first, second, third in zip(words, words[1:], words[2:], strict=False):
                after_two[first, second][third] += 1
                after_one[second][third] += 1
        return cls(after_two, after_one)

    def next_words(self, context: Context) -> Mapping[str, float]:
        """Return the probability of each next word; a full stop for a context that was never seen."""
        if context not in self._known:
            self._known[context] = self._mix_counts(context)
        return self._known[context]

    def _mix_counts(self, context: Context) -> dict[str, float]:
        mixed: Counter[str] = Counter()
        for weight, counts in (
            (_PAIR_WEIGHT, self._after_two.get(context)),
            (1 - _PAIR_WEIGHT, self._after_one.get(context[1])),
        ):
            total = sum(counts.values()) if counts else 0
            for word, count in counts.items() if counts else ():
                mixed[word] += weight * count / total  # type: ignore[assignment]  # Counter is typed for int
        whole = sum(mixed.values())
        return {word: share / whole for word, share in mixed.items()} or {".": 1.0}


def sample_token(odds: Mapping[str, float], prompt: Prompt, used: Mapping[str, int], random: Random) -> Token:
    """Sample the next word with the parameters of *prompt*.

    Args:
        odds: The probability of each word.
        prompt: The source of temperature, top_p and the penalties.
        used: The number of earlier uses of each word.
        random: The random generator; exactly one number is drawn, also at temperature 0.

    Returns:
        The word with its log probability and its most probable alternatives, before temperature and top_p.
    """
    penalties: tuple[float, ...] = ()
    if prompt.frequency_penalty or prompt.presence_penalty:
        penalties = tuple(_repetition_penalty(prompt, used.get(word, 0)) for word in odds)
    choice = _prepare_choice(tuple(odds.items()), penalties, prompt.temperature, prompt.top_p)
    return choice.pick_token(random.random())


@attrs.frozen
class _Choice:
    """The words to choose from.

    Attributes:
        top: The most probable words with their log probabilities.
        logprobs: The same by word.
        nucleus: The words that can be taken, with their probabilities.
        mass: The sum of these.
    """

    top: tuple[tuple[str, float], ...]
    logprobs: Mapping[str, float]
    nucleus: Sequence[tuple[str, float]]
    mass: float

    def pick_token(self, chance: float) -> Token:
        """Return the word at which the cumulated probability reaches *chance*, from 0 to 1."""
        word = self._pick_word(chance)
        return Token(word, self.logprobs.get(word, -9999.0), self.top)

    def _pick_word(self, chance: float) -> str:
        remaining = chance * self.mass
        for word, share in self.nucleus:
            remaining -= share
            if remaining <= 0:
                return word
        return self.nucleus[-1][0]


@lru_cache(maxsize=1024)
def _prepare_choice(
    odds: tuple[tuple[str, float], ...], penalties: tuple[float, ...], temperature: float, top_p: float
) -> _Choice:
    """Rank the words of *odds*, each less its penalty, and find those that can be taken."""
    logits = [
        (word, math.log(share) - penalty)
        for (word, share), penalty in zip(odds, penalties or (0.0,) * len(odds), strict=True)
    ]
    ranked = sorted(logits, key=lambda item: (-item[1], item[0]))
    top = tuple((word, round(logit, 6)) for word, logit in _normalize_logits(ranked)[:_MAX_ALTERNATIVES])
    nucleus = _find_nucleus(ranked, temperature, top_p)
    return _Choice(top, dict(top), nucleus, sum(share for _, share in nucleus))


def _repetition_penalty(prompt: Prompt, count: int) -> float:
    return prompt.frequency_penalty * count + prompt.presence_penalty * (count > 0)


def _normalize_logits(ranked: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    total = math.log(sum(math.exp(logit) for _, logit in ranked))
    return [(word, logit - total) for word, logit in ranked]


def _find_nucleus(ranked: Sequence[tuple[str, float]], temperature: float, top_p: float) -> list[tuple[str, float]]:
    """Return the words that can be taken, with their probabilities."""
    if temperature < _GREEDY_BELOW:
        return [(ranked[0][0], 1.0)]
    scaled = _normalize_logits([(word, logit / temperature) for word, logit in ranked])
    return _keep_nucleus([(word, math.exp(logit)) for word, logit in scaled], top_p)


def _keep_nucleus(ranked: Sequence[tuple[str, float]], top_p: float) -> list[tuple[str, float]]:
    kept: list[tuple[str, float]] = []
    mass = 0.0
    for word, share in ranked:
        if kept and mass >= top_p:
            break
        kept.append((word, share))
        mass += share
    return kept
