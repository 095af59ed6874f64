"""The Markov chain and its sampling."""

from __future__ import annotations

from random import Random

import pytest

from gradient_async.testing.model.markov import MarkovChain, sample_token
from gradient_async.testing.model.prompt import Prompt

SENTENCES = [text.split() for text in ("the sea is far .", "the sea is old .", "a bus is late .")]
ODDS = {"far": 0.5, "old": 0.3, "late": 0.2}


def test_the_next_word_mixes_the_counts_of_two_words_and_of_one() -> None:
    odds = MarkovChain.from_sentences(SENTENCES).next_words(("sea", "is"))
    assert odds == pytest.approx({"far": 0.8 / 2 + 0.2 / 3, "old": 0.8 / 2 + 0.2 / 3, "late": 0.2 / 3})


def test_an_unknown_context_is_followed_by_a_full_stop() -> None:
    assert MarkovChain.from_sentences(SENTENCES).next_words(("no", "context")) == {".": 1.0}


@pytest.mark.parametrize("seed", range(5))
def test_temperature_zero_takes_the_most_probable_word(seed: int) -> None:
    assert sample_token(ODDS, Prompt(temperature=0), {}, Random(seed)).text == "far"


def test_a_penalty_lowers_the_rank_of_a_used_word() -> None:
    prompt = Prompt(temperature=0, frequency_penalty=1)
    assert sample_token(ODDS, prompt, {"far": 1}, Random(0)).text == "old"


@pytest.mark.parametrize("seed", range(20))
def test_top_p_excludes_the_words_beyond_its_mass(seed: int) -> None:
    assert sample_token(ODDS, Prompt(top_p=0.6), {}, Random(seed)).text in ("far", "old")
