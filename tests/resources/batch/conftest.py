"""Sessions for tests of batches."""

from tests.support.batches import new_session

__all__ = ["new_session"]
