"""The model behind the default answers: small, deterministic, and it minds every parameter.

Contract: pure. The same prompt and seed give the same turn, so a streamed answer equals the whole one. A few
facts are known; otherwise it names the subject and goes on with sentences from a chain over `corpus`.
Source: the request parameters of chat completions; what a model says is documented nowhere.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from random import Random

import attrs

from gradient_async.testing.model.corpus import CAPITALS, FUNCTION_WORDS, GREETING, LEADS, TEXT, THOUGHTS
from gradient_async.testing.model.markov import Chain, draw
from gradient_async.testing.model.prompt import Call, Message, Prompt, Token, Tool, Turn, joined, tokens
from gradient_async.testing.model.schema_sampler import Inventor

_EFFORTS = {"minimal": 1, "low": 2, "medium": 3, "high": 4}
_LONG, _SHORT = 8, 3
_LONGEST_SENTENCE = 40
_STALENESS = 0.3
"""What a word's odds shrink to each time it occurs in a sentence; keeps temperature 0 out of loops."""

_FUNCTION_WORDS = frozenset(FUNCTION_WORDS.split())


@attrs.frozen
class TextModel:
    """Answers prompts; another *seed* is another model."""

    seed: int = 0

    def turn(self, prompt: Prompt) -> Turn:
        """Answer *prompt*."""
        random = Random(f"{self.seed} {prompt.seed} {prompt.model} {prompt.messages}")
        thoughts = _thoughts(prompt)
        tool = _tool(prompt)
        if tool is not None:
            call = _call(tool, prompt, random)
            return Turn(reasoning=thoughts, calls=[call], finish_reason="tool_calls")
        return _limited(prompt, thoughts, _stopped(prompt, _said(prompt, random)))


def _limited(prompt: Prompt, thoughts: Sequence[Token], said: Sequence[Token]) -> Turn:
    if prompt.max_tokens is None or len(thoughts) + len(said) <= prompt.max_tokens:
        return Turn(tokens=said, reasoning=thoughts)
    shown = thoughts[: prompt.max_tokens]
    return Turn(tokens=said[: prompt.max_tokens - len(shown)], reasoning=shown, finish_reason="length")


def _stopped(prompt: Prompt, said: Sequence[Token]) -> Sequence[Token]:
    text = joined(said)
    found = [place for place in (text.find(stop) for stop in prompt.stop if stop) if place >= 0]
    return list(_cut(said, min(found))) if found else said


def _cut(said: Sequence[Token], size: int) -> Iterator[Token]:
    for token in said:
        if size <= 0:
            return
        yield attrs.evolve(token, text=token.text[:size])
        size -= len(token.text)


def _thoughts(prompt: Prompt) -> list[Token]:
    if prompt.effort is None:
        return []
    shown = THOUGHTS[: _EFFORTS.get(prompt.effort, len(THOUGHTS))]
    return tokens(" ".join(shown).format(subject=_subject(prompt.question)))


def _tool(prompt: Prompt) -> Tool | None:
    """Return the tool to call: the one that is named, or the one most like the question."""
    if prompt.tool_choice == "none" or not prompt.tools:
        return None
    named = [tool for tool in prompt.tools if tool.name == prompt.tool_choice]
    if named:
        return named[0]
    likeness = {
        tool.name: len(_stems(f"{tool.name} {tool.description}") & _stems(prompt.question)) for tool in prompt.tools
    }
    best = max(prompt.tools, key=lambda tool: likeness[tool.name])
    wanted = prompt.tool_choice == "required" or (prompt.last.role == "user" and likeness[best.name])
    return best if wanted else None


def _call(tool: Tool, prompt: Prompt, random: Random) -> Call:
    schema = {"type": "object", **tool.parameters}
    arguments = Inventor(root=schema, question=prompt.question, random=random).value()
    return Call(
        id=f"call_{random.getrandbits(48):012x}",
        name=tool.name,
        arguments=json.dumps(arguments, ensure_ascii=False),
    )


def _said(prompt: Prompt, random: Random) -> list[Token]:
    if prompt.schema is not None:
        schema = prompt.schema or {"type": "object", "properties": {"answer": {"type": "string"}}}
        value = Inventor(root=schema, question=prompt.question, random=random).value()
        return tokens(json.dumps(value, ensure_ascii=False))
    if known := _known(prompt.last):
        return tokens(known)
    lead = draw(dict.fromkeys(LEADS, 1 / len(LEADS)), prompt, {}, random).text
    return [*tokens(lead.format(subject=_subject(prompt.question))), *_sentences(prompt, random)]


def _known(message: Message) -> str | None:
    text = message.text.lower()
    if message.role == "tool":
        return f"Here is what I found: {message.text}"
    if re.fullmatch(r"\W*(hi|hello|hey|good (morning|evening))\b.{0,20}", text):
        return GREETING
    if "capital" in text:
        country = next((name for name in CAPITALS if re.search(rf"\b{name}\b", text)), None)
        return f"The capital of {country.title()} is {CAPITALS[country]}." if country else None
    return _calculated(text)


def _calculated(text: str) -> str | None:
    found = re.search(r"(-?\d{1,9}) *([-+*]) *(\d{1,9})", text)
    if found is None:
        return None
    left, sign, right = int(found[1]), found[2], int(found[3])
    results = {"+": left + right, "-": left - right, "*": left * right}
    return f"{left} {sign} {right} is {results[sign]}."


def _subject(question: str) -> str:
    words = [word for word in re.findall(r"[\w'-]+", question) if word.lower() not in _FUNCTION_WORDS]
    return " ".join(words[:6]) or "this"


def _sentences(prompt: Prompt, random: Random) -> Iterator[Token]:
    used: Counter[str] = Counter()
    long = re.search(r"\b(long|story|essay|list|explain|detail)", prompt.question.lower())
    openers = _shuffled(_openers(prompt.question), prompt, random)
    for opener in openers[: _LONG if long else _SHORT]:
        for token in _sentence(opener, prompt, used, random):
            used[token.text] += 1
            yield token


def _sentence(opener: tuple[str, ...], prompt: Prompt, used: Counter[str], random: Random) -> Iterator[Token]:
    context = (opener[0], opener[1])
    said = Counter(context)
    yield Token(f" {opener[0]}")
    yield Token(opener[1])
    while said.total() < _LONGEST_SENTENCE and context[1] != ".":
        odds = {word: share * _STALENESS ** said[word] for word, share in _chain().next(context).items()}
        token = draw(odds, prompt, used, random)
        yield token
        said[token.text] += 1
        context = (context[1], token.text)
    if context[1] != ".":
        yield Token(".")


def _openers(question: str) -> list[tuple[str, ...]]:
    """Return the sentences of the text, those most like *question* first."""
    asked = _stems(question)
    return sorted(_corpus(), key=lambda words: -len(asked & _subjects(words)))


def _shuffled(topical: list[tuple[str, ...]], prompt: Prompt, random: Random) -> list[tuple[str, ...]]:
    spread = 6 * prompt.temperature * prompt.top_p
    ranks = {words: rank + spread * random.random() for rank, words in enumerate(topical)}
    return sorted(topical, key=ranks.__getitem__)


def _stems(text: str) -> frozenset[str]:
    words = re.findall(r"[a-z]+", text.lower().replace("_", " "))
    return frozenset(word[:5] for word in words if word not in _FUNCTION_WORDS)


@cache
def _subjects(words: tuple[str, ...]) -> frozenset[str]:
    return _stems("".join(words))


@cache
def _corpus() -> tuple[tuple[str, ...], ...]:
    sentences = re.split(r"(?<=\.)\s+", " ".join(TEXT.split()))
    return tuple(tuple(token.text for token in tokens(sentence)) for sentence in sentences)


@cache
def _chain() -> Chain:
    return Chain.of(_corpus())
