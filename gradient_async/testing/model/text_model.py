"""A small deterministic language model that respects every sampling parameter.

Contract: pure. The same prompt and seed give the same completion, so a stream equals the unstreamed response.
Source: the request parameters of chat completions; the content is this module's own.

A completion is the first of these that applies:

1. a call of the tool that the question resembles, with arguments from `SchemaSampler`;
2. a sample of the requested JSON Schema;
3. a known fact: a greeting, a capital, the result of an arithmetic expression, the output of a tool;
4. prose: an opening with the subject of the question, then sentences. Each sentence begins with the first two words of
   a corpus sentence that resembles the question and goes on with the Markov chain over the corpus (`markov`). The
   corpus sentences are ranked by the word stems (first 5 letters) that they share with the question; a higher
   temperature shuffles the ranking.

Example: for "What are rolling windows?" at temperature 0, the subject is "rolling windows", and the corpus sentence "A
rolling limit has a long memory, but it forgets each request at the right time." ranks first by the stem "rolli". The
completion: "Here is what I can say about rolling windows. A rolling limit has a long memory, but it carries more than
the last, [...]".
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from random import Random

import attrs

from gradient_async.testing.model.corpus import CAPITALS, FUNCTION_WORDS, GREETING, OPENINGS, REASONING, TEXT
from gradient_async.testing.model.markov import MarkovChain, sample_token
from gradient_async.testing.model.prompt import (
    Completion,
    Message,
    Prompt,
    Token,
    Tool,
    ToolCall,
    join_tokens,
    split_tokens,
)
from gradient_async.testing.model.schema_sampler import SchemaSampler

_REASONING_SENTENCES = {"minimal": 1, "low": 2, "medium": 3, "high": 4}
_LONG_SENTENCES, _SHORT_SENTENCES = 8, 3
_MAX_SENTENCE_WORDS = 40
_REPETITION_FACTOR = 0.3
"""The factor on a word's probability for each use in the sentence; prevents loops at temperature 0."""

_FUNCTION_WORDS = frozenset(FUNCTION_WORDS.split())


@attrs.frozen
class TextModel:
    """Completes prompts; another *seed* gives other completions."""

    seed: int = 0

    def complete_prompt(self, prompt: Prompt) -> Completion:
        """Return the completion of *prompt*."""
        # The repr of the messages is in the seed: renaming `Message` or its fields changes every completion.
        seed = f"{self.seed} {prompt.seed} {prompt.model} {prompt.messages}"
        random = Random(seed.encode("utf-8", "surrogatepass"))  # JSON may hold half a character
        reasoning = _reasoning_tokens(prompt)
        tool = _choose_tool(prompt)
        if tool is not None:
            call = _sample_call(tool, prompt, random)
            return Completion(reasoning=reasoning, calls=[call], finish_reason="tool_calls")
        stop, content = _apply_stop(prompt, _content_tokens(prompt, random))
        limit = prompt.max_tokens
        if limit is None or len(reasoning) + len(content) <= limit:
            return Completion(tokens=content, reasoning=reasoning, stop=stop)
        kept = reasoning[:limit]
        return Completion(tokens=content[: limit - len(kept)], reasoning=kept, finish_reason="length")


def _apply_stop(prompt: Prompt, content: Sequence[Token]) -> tuple[str | None, Sequence[Token]]:
    """Return the stop text that the *content* reaches first, None without one, and the content before it."""
    text = join_tokens(content)
    reached = [(offset, stop) for stop in prompt.stop if stop and (offset := text.find(stop)) >= 0]
    if not reached:
        return None, content
    kept, (size, first) = list[Token](), min(reached)
    for token in content:
        if size > 0:
            kept.append(attrs.evolve(token, text=token.text[:size]))
        size -= len(token.text)
    return first, kept


def _reasoning_tokens(prompt: Prompt) -> list[Token]:
    if prompt.effort is None:
        return []
    sentences = REASONING[: _REASONING_SENTENCES.get(prompt.effort, len(REASONING))]
    return split_tokens(" ".join(sentences).format(subject=_question_subject(prompt.question)))


def _choose_tool(prompt: Prompt) -> Tool | None:
    """Return the tool to call: the one that ``tool_choice`` names, else the one most similar to the question."""
    if prompt.tool_choice == "none" or not prompt.tools:
        return None
    named = [tool for tool in prompt.tools if tool.name == prompt.tool_choice]
    if named:
        return named[0]
    similarity = {
        tool.name: len(_word_stems(f"{tool.name} {tool.description}") & _word_stems(prompt.question))
        for tool in prompt.tools
    }
    best = max(prompt.tools, key=lambda tool: similarity[tool.name])
    wanted = prompt.tool_choice == "required" or (prompt.last_message.role == "user" and similarity[best.name])
    return best if wanted else None


def _sample_call(tool: Tool, prompt: Prompt, random: Random) -> ToolCall:
    schema = {"type": "object", **tool.parameters}
    arguments = SchemaSampler(root=schema, question=prompt.question, random=random).sample_value()
    return ToolCall(
        id=f"call_{random.getrandbits(48):012x}",
        name=tool.name,
        arguments=json.dumps(arguments, ensure_ascii=False),
    )


def _content_tokens(prompt: Prompt, random: Random) -> list[Token]:
    if prompt.schema is not None:
        schema = prompt.schema or {"type": "object", "properties": {"answer": {"type": "string"}}}
        value = SchemaSampler(root=schema, question=prompt.question, random=random).sample_value()
        return split_tokens(json.dumps(value, ensure_ascii=False))
    if known := _known_fact(prompt.last_message):
        return split_tokens(known)
    opening = sample_token(dict.fromkeys(OPENINGS, 1 / len(OPENINGS)), prompt, {}, random).text
    return [
        *split_tokens(opening.format(subject=_question_subject(prompt.question))),
        *_sample_sentences(prompt, random),
    ]


def _known_fact(message: Message) -> str | None:
    text = message.text.lower()
    if message.role == "tool":
        return f"Here is what I found: {message.text}"
    if re.fullmatch(r"\W*(hi|hello|hey|good (morning|evening))\b.{0,20}", text):
        return GREETING
    if "capital" in text:
        country = next((name for name in CAPITALS if re.search(rf"\b{name}\b", text)), None)
        return f"The capital of {country.title()} is {CAPITALS[country]}." if country else None
    return _solve_arithmetic(text)


def _solve_arithmetic(text: str) -> str | None:
    found = re.search(r"(-?\d{1,9}) *([-+*]) *(\d{1,9})", text)
    if found is None:
        return None
    left, sign, right = int(found[1]), found[2], int(found[3])
    results = {"+": left + right, "-": left - right, "*": left * right}
    return f"{left} {sign} {right} is {results[sign]}."


def _question_subject(question: str) -> str:
    words = [word for word in re.findall(r"[\w'-]+", question) if word.lower() not in _FUNCTION_WORDS]
    return " ".join(words[:6]) or "this"


def _sample_sentences(prompt: Prompt, random: Random) -> Iterator[Token]:
    used: Counter[str] = Counter()
    long = re.search(r"\b(long|story|essay|list|explain|detail)", prompt.question.lower())
    starts = _rank_sentences(prompt, random)
    for start in starts[: _LONG_SENTENCES if long else _SHORT_SENTENCES]:
        for token in _sample_sentence(start, prompt, used, random):
            used[token.text] += 1
            yield token


def _sample_sentence(start: tuple[str, ...], prompt: Prompt, used: Counter[str], random: Random) -> Iterator[Token]:
    context = (start[0], start[1])
    uses = Counter(context)
    yield Token(f" {start[0]}")
    yield Token(start[1])
    while uses.total() < _MAX_SENTENCE_WORDS and context[1] != ".":
        candidates = _corpus_chain().next_words(context)
        odds = {
            word: share * _REPETITION_FACTOR ** uses[word] if word in uses else share
            for word, share in candidates.items()
        }
        token = sample_token(odds, prompt, used, random)
        yield token
        uses[token.text] += 1
        context = (context[1], token.text)
    if context[1] != ".":
        yield Token(".")


def _rank_sentences(prompt: Prompt, random: Random) -> list[tuple[str, ...]]:
    """Return the corpus sentences by the number of stems they share with the question, shuffled by the temperature."""
    stems = _word_stems(prompt.question)
    ranked = sorted(_corpus_sentences(), key=lambda words: -len(stems & _sentence_stems(words)))
    noise = 6 * prompt.temperature * prompt.top_p
    ranks = {words: rank + noise * random.random() for rank, words in enumerate(ranked)}
    return sorted(ranked, key=ranks.__getitem__)


def _word_stems(text: str) -> frozenset[str]:
    words = re.findall(r"[a-z]+", text.lower().replace("_", " "))
    return frozenset(word[:5] for word in words if word not in _FUNCTION_WORDS)


@cache
def _sentence_stems(words: tuple[str, ...]) -> frozenset[str]:
    return _word_stems("".join(words))


@cache
def _corpus_sentences() -> tuple[tuple[str, ...], ...]:
    sentences = re.split(r"(?<=\.)\s+", " ".join(TEXT.split()))
    return tuple(tuple(token.text for token in split_tokens(sentence)) for sentence in sentences)


@cache
def _corpus_chain() -> MarkovChain:
    return MarkovChain.from_sentences(_corpus_sentences())
