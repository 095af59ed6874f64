"""A LangChain model over an emulator."""

from __future__ import annotations

import pytest

from gradient_async import AsyncSession
from gradient_async.integrations.langchain import ChatGradient
from tests.support.langchain import M


@pytest.fixture
def model(gradient_session: AsyncSession) -> ChatGradient:
    return ChatGradient(session=gradient_session, model=M)
