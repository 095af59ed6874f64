"""Fixtures of the tests of the storage host."""

from __future__ import annotations

import pytest

from tests.support.emulator_client import BatchClient


@pytest.fixture
async def url(batch_client: BatchClient) -> str:
    """The presigned URL of an upload."""
    upload_url: str = (await batch_client.create_intent())["upload_url"]
    return upload_url
