"""System One: typed answers to questions about a text.

Source: ``POST /v1/systemone`` of the serverless reference.
"""

from __future__ import annotations

from typing import Unpack

from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.systemone import build_systemone_request, read_evaluation
from gradient_async.models.systemone import SystemOneEvaluation
from gradient_async.params import SystemOneParams
from gradient_async.resources.base import Resource


class SystemOne(Resource):
    """``session.systemone``."""

    async def create(
        self, *, timeout: float | Timeouts | None = None, **params: Unpack[SystemOneParams]
    ) -> SystemOneEvaluation:
        """Answer questions about a text, each with a choice, a score or a number.

        Example:
            ::

                evaluation = await session.systemone.create(
                    model="jev-1.13",
                    state="The build has failed twice and a release is due today.",
                    questions={
                        "urgent": {
                            "type": "choice",
                            "instructions": "How urgent is this?",
                            "criteria": {"low": "It can wait.", "high": "It blocks a release."},
                        }
                    },
                )
                print(evaluation.answers["urgent"].value)

        Args:
            timeout: Seconds for the whole call, or a `Timeouts` for each part of it.
            **params: Documented parameters; any other keyword goes into the body unchanged.

        Returns:
            The `SystemOneEvaluation`, with an answer for the name of each question.

        Raises:
            ConfigurationError: The call cannot work; nothing was sent.
            APIStatusError: The service refused the request; the subclass says why.
            APIConnectionError: No response came.
            ProtocolError: The response has no answers.
        """
        request = build_systemone_request(params, timeouts=self._timeouts.override_with(timeout))
        return await self._pipeline.send_and_decode(request, self._target(), read_evaluation)
