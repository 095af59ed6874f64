"""A double of the service for tables of statuses and bodies."""

from tests.support.aioresponses_shim import answers

__all__ = ["answers"]
