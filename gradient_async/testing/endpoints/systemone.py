"""System One evaluations: answers from a hash of the state and the question.

Contract: pure; equal questions about equal states have equal answers.
Source: the System One request and response of the Inference API reference.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from gradient_async.testing.endpoints.checks import reject_request
from gradient_async.testing.endpoints.validator import Rule, find_problem
from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import Reply, Response, apply_reply, json_response

_TEXT = Rule(kind="string")
_QUESTION = Rule(
    kind="object",
    fields={
        "type": Rule(kind="string", required=True, choices=("noul", "choice", "score")),
        "instructions": Rule(kind="string", required=True),
        "criteria": Rule(either=(Rule(kind="object", members=_TEXT), Rule(kind="array", members=_TEXT))),
    },
)
_REQUEST = Rule(
    kind="object",
    fields={
        "model": Rule(kind="string", required=True, low=1),
        "state": Rule(kind="string", required=True),
        "questions": Rule(kind="object", required=True, members=_QUESTION),
    },
)
_DEFAULT_CRITERIA: Mapping[str, Sequence[str]] = {"noul": (), "choice": ("no", "yes"), "score": ("low", "high")}


@attrs.frozen
class SystemOneEndpoint:
    """The System One endpoint; *known* are the slugs of the existing models, None if every model exists."""

    known: Sequence[str] | None = None

    def check_evaluation(self, request: RecordedRequest) -> Response | None:
        """Build the error response to a malformed request; None for a well-formed one."""
        return reject_request(request, find_problem(request.json, _REQUEST), self.known)

    def evaluate_state(self, request: RecordedRequest, reply: Reply | None) -> Response:
        """Respond with an answer to each question."""
        fields = request.fields
        answers = {name: _answer_question(fields["state"], question) for name, question in fields["questions"].items()}
        words = len(fields["state"].split()) + sum(len(q["instructions"].split()) for q in fields["questions"].values())
        usage = {"input_tokens": words, "output_tokens": 0}
        return apply_reply(reply, json_response({"model": fields["model"], "answers": answers, "usage": usage}))


def _answer_question(state: str, question: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer in the form that the type of *question* asks for."""
    kind, criteria = question["type"], question.get("criteria")
    shares = _hash_shares(f"{state} {question['instructions']}", len(criteria or _DEFAULT_CRITERIA[kind]))
    if kind == "noul":
        return {"type": kind, "noul": shares[0], "confidence": 1.0}
    names = list(criteria or _DEFAULT_CRITERIA[kind])
    best = max(range(len(names)), key=shares.__getitem__)
    answer = {"type": kind, "confidence": shares[best]}
    if kind == "choice":
        return answer | {"choice": names[best], "probabilities": dict(zip(names, shares, strict=True))}
    levels = list(map(str, range(len(names))))
    legend, probabilities = dict(zip(levels, names, strict=True)), dict(zip(levels, shares, strict=True))
    return answer | {"score": float(best), "legend": legend, "probabilities": probabilities}


def _hash_shares(subject: str, count: int) -> list[float]:
    """Return *count* numbers, at least one, that add up to 1."""
    digest = hashlib.sha256(subject.encode(errors="surrogatepass")).digest()
    weights = [1 + digest[index % len(digest)] for index in range(max(count, 1))]
    return [round(weight / sum(weights), 4) for weight in weights]
