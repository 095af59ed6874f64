"""A Pydantic AI model over a session of this library.

Contract: the session is never closed here; its limits, retries and hooks apply to each request of each agent. An
abandoned or cancelled run releases its connection at once. Runs in other threads, as of ``run_sync``, use the event
loop of the session, see `_portal`. Of Pydantic AI's private names, only the abstract methods of
its base classes are used.

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

from gradient_async.integrations._portal import bridge_stream, run_bridged
from gradient_async.integrations._provider import PROVIDER
from gradient_async.integrations.pydantic_ai.errors import translate_errors
from gradient_async.integrations.pydantic_ai.messages import chat_messages
from gradient_async.integrations.pydantic_ai.request import chat_params
from gradient_async.integrations.pydantic_ai.responses import GradientStreamedResponse, model_response

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
        model_name: Slug of the model; for an agent endpoint, which has its own model, a name for traces.
        session: Open `AsyncSession`, or ``session.agent(...)`` for an agent endpoint. The caller closes it.
        profile: Capabilities that differ from the default: ``{"supports_forced_tool_choice": False}``.
        settings: Default settings of each request; settings of an agent and of a run override them.
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
        super().__init__(settings=settings, profile=_merge_with_defaults(profile))
        self._model_name = model_name
        self._pipeline = session._pipeline
        self._completions: Any = session.chat.completions  # Any: the parameters are built at run time

    @property
    def model_name(self) -> str:
        """Name of the model."""
        return self._model_name

    @property
    def system(self) -> str:
        """Name of the provider in traces: ``"digitalocean.gradient"``."""
        return PROVIDER

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Request a whole completion.

        Raises:
            ModelHTTPError: The service refused the request.
            ModelConnectionError: No response came.
            ModelAPIError: The response is not a completion.
        """
        params, _ = self._prepare_call(messages, model_settings, model_request_parameters)
        with translate_errors(self._model_name):
            completion = await run_bridged(self._pipeline, lambda: self._completions.create(**params))
        return model_response(completion, model=self._model_name, profile=self.profile)

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,  # noqa: ARG002 - the base class's signature
    ) -> AsyncIterator[StreamedResponse]:
        """Open a stream of the completion; leaving the block releases its connection.

        Raises:
            ModelHTTPError: The service refused the request, at once or inside the stream.
            ModelConnectionError: No response came, or it broke off: ``__cause__`` is then a `StreamTruncatedError`.
            ModelAPIError: The response is not a stream of a completion.
        """
        params, prepared = self._prepare_call(messages, model_settings, model_request_parameters)
        stream = bridge_stream(
            self._pipeline, self._completions.stream(stream_options={"include_usage": True}, **params)
        )
        with translate_errors(self._model_name):
            await stream.open()
        async with stream:
            yield GradientStreamedResponse(
                model_request_parameters=prepared, _stream=stream, _model=self._model_name, _profile=self.profile
            )

    def _prepare_call(
        self, messages: list[ModelMessage], settings: ModelSettings | None, parameters: ModelRequestParameters
    ) -> tuple[dict[str, Any], ModelRequestParameters]:
        """Return the parameters of the call, and the framework's request parameters after its preparation."""
        check_allow_model_requests()
        settings, parameters = self.prepare_request(settings, parameters)
        params = chat_params(settings or {}, parameters, self.profile)
        return params | {"model": self._model_name, "messages": chat_messages(messages, parameters)}, parameters


def _merge_with_defaults(profile: ModelProfileSpec | None) -> ModelProfileSpec:
    """Return the caller's *profile* over the capabilities that all models of the service share."""
    if callable(profile):
        adjust_profile = profile
        return lambda default: adjust_profile(merge_profile(default, _PROFILE))
    return merge_profile(_PROFILE, profile)
