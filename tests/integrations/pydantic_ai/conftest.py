"""Models of Pydantic AI over an emulator."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gradient_async import (
    AsyncSession,
    RetryPolicy,
)
from gradient_async.integrations.pydantic_ai import GradientModel
from gradient_async.testing import Emulator
from tests.support.pydantic_ai import M


@pytest.fixture
def model(gradient_session: AsyncSession) -> GradientModel:
    return GradientModel(M, session=gradient_session)


@pytest.fixture
async def single_attempt_model(gradient_emulator: Emulator) -> AsyncIterator[GradientModel]:
    """A model whose session never retries."""
    retry = RetryPolicy(attempts=1)
    async with AsyncSession("test-key", base_url=gradient_emulator.url, retry=retry) as session:
        yield GradientModel(M, session=session)
