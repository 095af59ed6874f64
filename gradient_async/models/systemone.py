"""The results of the System One API.

Source: ``POST /v1/systemone`` of the serverless reference.
"""

from typing import Any

import attrs

from gradient_async.models._base import ESSENTIAL, Model
from gradient_async.models.response_meta import ResponseModel


@attrs.define(kw_only=True, eq=False, repr=False)
class SystemOneAnswer(Model):
    """The answer to one question; the field that ``type`` names holds it, and `value` returns it.

    Attributes:
        type: ``"noul"``, ``"choice"``, ``"score"``, or a newer form.
        noul: The number of an answer of that type.
        choice: The name that was chosen.
        score: The level that was given.
        legend: Meaning of each level.
        probabilities: Probability of each name or level.
        confidence: Certainty of the answer, from 0 to 1.
    """

    type: str
    noul: float | None = attrs.field(default=None, metadata=ESSENTIAL)
    choice: str | None = attrs.field(default=None, metadata=ESSENTIAL)
    score: float | None = attrs.field(default=None, metadata=ESSENTIAL)
    legend: dict[str, Any] | None = None
    probabilities: dict[str, float] | None = None
    confidence: float | None = None

    @property
    def value(self) -> str | float | None:
        """The answer itself: the field that ``type`` names; None for a newer form, which ``raw`` has."""
        answers = {"noul": self.noul, "choice": self.choice, "score": self.score}
        return answers.get(self.type)


@attrs.define(kw_only=True, eq=False, repr=False)
class SystemOneUsage(Model):
    """Numbers of tokens that an evaluation is billed for."""

    input_tokens: int = 0
    output_tokens: int = 0


@attrs.define(kw_only=True, eq=False, repr=False)
class SystemOneEvaluation(ResponseModel):
    """The answers to the questions, each under the name of its question."""

    model: str = ""
    answers: dict[str, SystemOneAnswer] = attrs.field(factory=dict, metadata=ESSENTIAL)
    usage: SystemOneUsage | None = None
