"""System One evaluations, from the emulator over real sockets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from gradient_async import (
    AsyncSession,
    BadRequestError,
    ConfigurationError,
    InternalServerError,
    ResponseDecodeError,
)
from gradient_async.params import QuestionParam
from gradient_async.testing import Emulator

MODEL = "jev-1.13"
STATE = "The build has failed twice and a release is due today."
QUESTIONS: Mapping[str, QuestionParam] = {
    "urgent": {"type": "choice", "instructions": "How urgent?", "criteria": {"low": "It can wait.", "high": "Now."}},
    "quality": {"type": "score", "instructions": "How good?", "criteria": ["bad", "fair", "good"]},
    "related": {"type": "noul", "instructions": "Is this about software?"},
}


async def test_each_question_has_an_answer_of_its_type(
    gradient_session: AsyncSession, gradient_emulator: Emulator
) -> None:
    evaluation = await gradient_session.systemone.create(model=MODEL, state=STATE, questions=QUESTIONS)
    answers = evaluation.answers
    assert {name: answer.type for name, answer in answers.items()} == {
        name: question["type"] for name, question in QUESTIONS.items()
    }
    assert answers["urgent"].value in ("low", "high")
    assert answers["quality"].value in (0.0, 1.0, 2.0)
    assert isinstance(answers["related"].value, float)
    assert set(answers["urgent"].probabilities or ()) == {"low", "high"}
    assert answers["quality"].legend == {"0": "bad", "1": "fair", "2": "good"}
    assert evaluation.usage is not None
    assert (evaluation.model, evaluation.usage.input_tokens) == (MODEL, 19)
    assert gradient_emulator.requests[0].json == {"model": MODEL, "state": STATE, "questions": QUESTIONS}


async def test_an_answer_of_a_newer_type_is_kept(gradient_session: AsyncSession, gradient_emulator: Emulator) -> None:
    answer = {"type": "span", "span": [3, 9], "confidence": "certain"}
    gradient_emulator.reply(body={"model": MODEL, "answers": {"where": answer}}, path="/v1/systemone")
    evaluation = await gradient_session.systemone.create(model=MODEL, state=STATE, questions=QUESTIONS)
    assert evaluation.answers["where"].value is None
    assert evaluation.answers["where"].raw == answer
    assert evaluation.answers["where"].confidence is None


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"model": MODEL}, "$.answers"),
        ({"answers": {"a": {"choice": "low"}}}, "$.answers"),
        ({"answers": {"a": {"type": "choice", "choice": 7}}}, "$.answers"),
    ],
)
async def test_a_response_without_usable_answers_raises_a_decode_error(
    gradient_session: AsyncSession, gradient_emulator: Emulator, body: dict[str, Any], path: str
) -> None:
    gradient_emulator.reply(body=body, path="/v1/systemone")
    with pytest.raises(ResponseDecodeError) as caught:
        await gradient_session.systemone.create(model=MODEL, state=STATE, questions=QUESTIONS)
    assert caught.value.path.startswith(path)


@pytest.mark.parametrize("status", [424, 500, 502])
async def test_a_failure_of_the_model_is_not_sent_again(
    gradient_session: AsyncSession, gradient_emulator: Emulator, status: int
) -> None:
    gradient_emulator.fail(status)
    with pytest.raises(Exception, match=f"\\({status}, ") as caught:
        await gradient_session.systemone.create(model=MODEL, state=STATE, questions=QUESTIONS)
    assert isinstance(caught.value, InternalServerError) is (status >= 500)
    assert len(gradient_emulator.requests) == 1


async def test_an_unknown_type_is_the_services_refusal(gradient_session: AsyncSession) -> None:
    questions: Any = {"a": {"type": "essay", "instructions": "Write."}}
    with pytest.raises(BadRequestError, match="must be one of noul, choice, score"):
        await gradient_session.systemone.create(model=MODEL, state=STATE, questions=questions)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"state": STATE, "questions": QUESTIONS}, "model must be a text that is not empty"),
        ({"model": MODEL, "questions": QUESTIONS}, "state must be a text that is not empty"),
        ({"model": MODEL, "state": STATE}, "questions must be a dict.*; got nothing"),
        ({"model": MODEL, "state": STATE, "questions": {}}, "questions must be a dict.*; got dict"),
        ({"model": MODEL, "state": STATE, "questions": [1]}, "questions must be a dict.*; got list"),
        ({"model": MODEL, "state": STATE, "questions": {"a": {"type": "noul"}}}, r"questions\['a'\] needs a type and"),
    ],
)
async def test_invalid_parameters_are_not_sent(
    gradient_session: AsyncSession, gradient_emulator: Emulator, params: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        await gradient_session.systemone.create(**params)
    assert gradient_emulator.requests == []
