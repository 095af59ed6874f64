"""Exit codes, and the error each stands for."""

from __future__ import annotations

from enum import IntEnum

from gradient_async.errors import BatchValidationError, ConfigurationError, GradientError


class Exit(IntEnum):
    """How a command ended."""

    OK = 0
    API_ERROR = 1
    USAGE = 2
    PARTIAL = 3
    INTERRUPTED = 130


def exit_of(error: GradientError) -> Exit:
    """Return the code for *error*: what the caller can mend before anything is sent is a usage error."""
    return Exit.USAGE if isinstance(error, ConfigurationError | BatchValidationError) else Exit.API_ERROR
