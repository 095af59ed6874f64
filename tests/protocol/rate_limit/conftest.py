"""The service"s own count of its windows."""

from tests.support.documented_limits import service

__all__ = ["service"]
