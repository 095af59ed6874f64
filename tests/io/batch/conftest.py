"""Sessions and a complete job for tests of batches."""

from tests.support.batches import job, new_session, session

__all__ = ["job", "new_session", "session"]
