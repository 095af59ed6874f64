"""The list of models, from the emulator over real sockets."""

from __future__ import annotations

from typing import Any

import pytest

from gradient_async import APIStatusError, AsyncSession, ResponseDecodeError
from gradient_async.testing import Emulator


async def test_a_body_without_data_is_an_error(gradient_session: AsyncSession, gradient_emulator: Emulator) -> None:
    gradient_emulator.reply(body={"status": "ok"}, path="/v1/models")
    with pytest.raises(ResponseDecodeError, match="not a ModelList"):
        await gradient_session.models.list()


@pytest.mark.parametrize("body", [{"id": "unauthorized", "message": "No."}, {"error": {"message": "No."}}])
async def test_an_error_object_with_a_success_status_is_raised(
    gradient_session: AsyncSession, gradient_emulator: Emulator, body: dict[str, Any]
) -> None:
    gradient_emulator.reply(body=body, path="/v1/models")
    with pytest.raises(APIStatusError, match=r"No\."):
        await gradient_session.models.list()
