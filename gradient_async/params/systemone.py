"""The parameters of System One evaluations.

Source: ``POST /v1/systemone`` of the serverless reference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Required, TypedDict

from gradient_async.params import ExtraParams


class QuestionParam(TypedDict, total=False):
    """A question of an evaluation.

    Attributes:
        type: Form of the answer: ``"noul"`` a number, ``"choice"`` one of several names, ``"score"`` a level.
        instructions: The question, and how to answer it.
        criteria: Meaning of each name, for ``"choice"`` and ``"noul"``; the levels in order, for ``"score"``.
    """

    type: Required[Literal["noul", "choice", "score"]]
    instructions: Required[str]
    criteria: Mapping[str, str] | Sequence[str] | None


class SystemOneParams(ExtraParams, total=False):
    """The parameters of an evaluation.

    Attributes:
        model: Slug of the model.
        state: Text that the questions are about.
        questions: The questions, each under a name of yours.
    """

    model: Required[str]
    state: Required[str]
    questions: Required[Mapping[str, QuestionParam]]
