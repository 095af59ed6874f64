"""Sessions and a complete job for tests of batches."""

from tests.support.batches import each_shape, job, new_session, session

__all__ = ["each_shape", "job", "new_session", "session"]
