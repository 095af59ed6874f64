"""A model of Pydantic AI whose requests go through a session of yours.

Contract: the session is never closed here, and its limits, retries and hooks hold for every request of every agent. A
run that is left or cancelled gives its connection back at once. Nothing private of Pydantic AI is used but what its
base classes leave to be defined.

Source: ``pydantic_ai.models.Model``, 2.66 to 2.68.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

try:
    from pydantic_ai.messages import ModelMessage, ModelResponse
    from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse, check_allow_model_requests
    from pydantic_ai.profiles import ModelProfile, ModelProfileSpec, merge_profile
    from pydantic_ai.settings import ModelSettings
    from pydantic_ai.tools import RunContext
except ImportError as error:
    raise ImportError(
        "GradientModel needs Pydantic AI 2.66 or later: pip install 'gradient-async[pydantic-ai]'."
    ) from error

from gradient_async.integrations.pydantic_ai.answer import PROVIDER, GradientStreamedResponse, model_response
from gradient_async.integrations.pydantic_ai.errors import translated
from gradient_async.integrations.pydantic_ai.messages import chat_messages
from gradient_async.integrations.pydantic_ai.request import chat_params

if TYPE_CHECKING:
    from gradient_async.resources.chat.agent import Agent
    from gradient_async.session import AsyncSession

_PROFILE = ModelProfile(
    supports_json_schema_output=True,
    supports_json_object_output=True,
    supports_thinking=True,
    supports_document_input=False,
    supports_audio_file_input=False,
    supports_video_input=False,
)


class GradientModel(Model[Any]):
    """A model of Gradient AI for agents of Pydantic AI: ``Agent(GradientModel("llama3.3-70b-instruct", session=...))``.

    Args:
        model_name: The model; for an agent endpoint, which chooses its own, a name to know it by.
        session: An open `AsyncSession`, or ``session.agent(...)`` for an agent endpoint. It stays yours to close.
        profile: What the model can do, where it differs: ``{"supports_forced_tool_choice": False}``.
        settings: Settings of every request, under those of an agent and of a run.
    """

    unsupported_settings = frozenset({"max_retries", "service_tier", "top_k"})

    def __init__(
        self,
        model_name: str,
        *,
        session: AsyncSession | Agent,
        profile: ModelProfileSpec | None = None,
        settings: ModelSettings | None = None,
    ) -> None:
        super().__init__(settings=settings, profile=_over_ours(profile))
        self._model_name = model_name
        self._completions: Any = session.chat.completions  # Any: the parameters are made at run time

    @property
    def model_name(self) -> str:
        """The model's name."""
        return self._model_name

    @property
    def system(self) -> str:
        """``"gradient"``, the provider's name in traces."""
        return PROVIDER

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Return a whole answer.

        Raises:
            ModelHTTPError: The service refused.
            ModelConnectionError: No answer came.
            ModelAPIError: The answer is not a completion.
        """
        params, _ = self._prepared(messages, model_settings, model_request_parameters)
        with translated(self._model_name):
            completion = await self._completions.create(**params)
        return model_response(completion, model=self._model_name, profile=self.profile)

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,  # noqa: ARG002 - the base class's signature
    ) -> AsyncIterator[StreamedResponse]:
        """Open a stream of the answer; leaving the block gives its connection back.

        Raises:
            ModelHTTPError: The service refused, at once or inside the stream.
            ModelConnectionError: No answer came, or it broke off: ``__cause__`` is then a `StreamTruncatedError`.
            ModelAPIError: What came is no stream of a completion.
        """
        params, prepared = self._prepared(messages, model_settings, model_request_parameters)
        stream = self._completions.stream(stream_options={"include_usage": True}, **params)
        with translated(self._model_name):
            await stream.open()
        async with stream:
            yield GradientStreamedResponse(
                model_request_parameters=prepared, _stream=stream, _model=self._model_name, _profile=self.profile
            )

    def _prepared(
        self, messages: list[ModelMessage], settings: ModelSettings | None, parameters: ModelRequestParameters
    ) -> tuple[dict[str, Any], ModelRequestParameters]:
        """Return the parameters of the call, and the framework's own in their final form."""
        check_allow_model_requests()
        settings, parameters = self.prepare_request(settings, parameters)
        params = chat_params(settings or {}, parameters, self.profile)
        return params | {"model": self._model_name, "messages": chat_messages(messages, parameters)}, parameters


def _over_ours(profile: ModelProfileSpec | None) -> ModelProfileSpec:
    """Return the caller's *profile* over what holds for every model of the service."""
    if callable(profile):
        change = profile
        return lambda default: change(merge_profile(default, _PROFILE))
    return merge_profile(_PROFILE, profile)
