"""LangChain's own standard tests of chat models, on the emulator. Run them with ``make test-frameworks``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("langchain_tests", reason="langchain-tests is not installed: make test-frameworks")

from langchain_core.language_models import BaseChatModel
from langchain_core.rate_limiters import InMemoryRateLimiter
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from gradient_async.integrations.langchain import ChatGradient
from gradient_async.testing import Emulator
from tests.support.langchain import M
from tests.support.threaded_emulator import run_emulator

CUSTOMERS = ["你好啊集团", "こんにちは株式会社"]
"""Names in a test of the suite, which the emulator's model does not take from a question."""


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with run_emulator() as emulator:
        yield emulator


@pytest.fixture(autouse=True)
def key_and_address(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIENT_INFERENCE_ENDPOINT", emulator.url)
    monkeypatch.setenv("MODEL_ACCESS_KEY", "test")


@pytest.fixture(autouse=True)
def replies(emulator: Emulator, request: pytest.FixtureRequest) -> None:
    if request.node.name == "test_unicode_tool_call_integration":
        for name in CUSTOMERS:
            arguments = {"customer_name": name, "description": "A company"}
            emulator.reply(tool_calls=[{"name": "unicode_customer", "arguments": arguments}])


class TestUnit(ChatModelUnitTests):  # type: ignore[misc, unused-ignore]  # untyped where it is not installed
    """The tests without a service."""

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatGradient

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": M}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return {"MODEL_ACCESS_KEY": "sk-do-env"}, {"model": M}, {"api_key": "sk-do-env"}


class TestIntegration(ChatModelIntegrationTests):  # type: ignore[misc, unused-ignore]  # untyped where it is not installed
    """The tests with a service: the emulator."""

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatGradient

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": M, "rate_limiter": InMemoryRateLimiter(requests_per_second=1000)}

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def model_override_value(self) -> str:
        return "openai-gpt-oss-20b"
