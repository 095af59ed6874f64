"""System One evaluations: the request and its response body.

Source: ``POST /v1/systemone`` of the serverless reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradient_async._protocol.http.body_reader import ResponseReader
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.json_post import PostBuilder
from gradient_async._protocol.requests.parameters import describe_type
from gradient_async._protocol.requests.request import Request
from gradient_async.errors import ConfigurationError, quote_argument
from gradient_async.models.systemone import SystemOneEvaluation
from gradient_async.params import SystemOneParams

_PATH = "/v1/systemone"
_POST = PostBuilder(SystemOneParams, model="jev-1.13", state="The build failed twice.")
_EXAMPLE = "{'urgent': {'type': 'choice', 'instructions': '...', 'criteria': {...}}}"

read_evaluation = ResponseReader(SystemOneEvaluation, "answers")
"""Decodes the body of a successful response."""


def build_systemone_request(params: Mapping[str, Any], *, timeouts: Timeouts) -> Request:
    """Build the request for an evaluation.

    Raises:
        ConfigurationError: A parameter is missing or invalid: the model, the state or a question.
    """
    body = _POST.read_params(params)
    questions = body.get("questions")
    if not isinstance(questions, Mapping) or not questions:
        raise ConfigurationError(f"questions must be a dict, as {_EXAMPLE}; got {describe_type(questions)}.")
    for name, question in questions.items():
        if isinstance(question, Mapping) and not {"type", "instructions"} <= question.keys():
            raise ConfigurationError(f"questions[{quote_argument(name)}] needs a type and instructions.")
    return _POST.build_request(_PATH, body, timeouts=timeouts)
