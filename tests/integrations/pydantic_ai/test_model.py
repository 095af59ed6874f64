"""The model itself: its requests, its profile, its session."""

from __future__ import annotations

import asyncio
import subprocess
import sys

from pydantic_ai import Agent, PromptedOutput
from pydantic_ai.profiles import ModelProfile, merge_profile

from gradient_async import AsyncSession
from gradient_async.integrations.pydantic_ai import GradientModel
from gradient_async.testing import Emulator
from tests.support.pydantic_ai import ANSWER, LISBON, City, M, request_body


async def test_a_run_sends_a_plain_chat_completion(gradient_emulator: Emulator, model: GradientModel) -> None:
    await Agent(model).run("Capital of Portugal?")
    (seen,) = gradient_emulator.requests
    assert seen.path == "/v1/chat/completions"
    assert seen.json == {"model": M, "messages": [{"role": "user", "content": "Capital of Portugal?"}]}


async def test_a_profile_overrides_the_default(gradient_emulator: Emulator, gradient_session: AsyncSession) -> None:
    plain = GradientModel(M, session=gradient_session, profile={"supports_json_object_output": False})
    unforced = GradientModel(
        M,
        session=gradient_session,
        profile=lambda default: merge_profile(default, ModelProfile(supports_forced_tool_choice=False)),
    )
    gradient_emulator.reply(LISBON.model_dump_json())
    await Agent(plain, output_type=PromptedOutput(City)).run("Lisbon?")
    gradient_emulator.reply(tool_calls=[ANSWER])
    await Agent(unforced, output_type=City).run("Lisbon?")
    assert "response_format" not in request_body(gradient_emulator, 0)
    assert request_body(gradient_emulator, 1)["tool_choice"] == "auto"
    assert unforced.profile["supports_json_schema_output"]


async def test_many_agents_share_a_session(gradient_emulator: Emulator, model: GradientModel) -> None:
    results = await asyncio.gather(*(Agent(model).run("Capital of Portugal?") for _ in range(10)))
    assert len({result.output for result in results}) == 1
    assert len(gradient_emulator.requests) == 10


async def test_an_agent_endpoint_uses_its_own_completions(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    model = GradientModel("support", session=gradient_session.agent())
    result = await Agent(model).run("Hi", model_settings={"extra_body": {"include_retrieval_info": True}})
    (seen,) = gradient_emulator.requests
    assert (seen.path, seen.headers["Authorization"]) == ("/api/v1/chat/completions", "Bearer test-agent")
    assert result.response.provider_details is not None
    assert result.response.provider_details["retrieval"]["retrieved_data"]
    assert model.model_id == "digitalocean.gradient:support"


async def test_a_model_leaves_its_session_open(gradient_session: AsyncSession, model: GradientModel) -> None:
    async with model:
        await Agent(model).run("Hi")
    assert await gradient_session.models.list()


def test_an_import_without_pydantic_ai_names_the_extra() -> None:
    code = "import sys; sys.modules['pydantic_ai'] = None; import gradient_async.integrations.pydantic_ai"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (
        "ImportError: GradientModel needs Pydantic AI 2.66 or later: pip install 'gradient-async[pydantic-ai]'"
        in result.stderr
    )
