"""A double of the service for tables of statuses and bodies."""

from tests.support.aioresponses_shim import mocked_responses

__all__ = ["mocked_responses"]
