"""Exit codes of the commands, and the code for each error."""

from __future__ import annotations

from collections import Counter
from enum import IntEnum

from gradient_async.errors import BatchValidationError, ConfigurationError, GradientError


class ExitCode(IntEnum):
    """Exit code of a command."""

    OK = 0
    API_ERROR = 1
    USAGE = 2
    PARTIAL = 3
    INTERRUPTED = 130


def exit_code_for(error: GradientError) -> ExitCode:
    """Return the code for *error*: ``USAGE`` if the user can fix it before anything is sent."""
    is_usage_error = isinstance(error, ConfigurationError | BatchValidationError)
    return ExitCode.USAGE if is_usage_error else ExitCode.API_ERROR


def combine_exit_codes(codes: Counter[ExitCode]) -> ExitCode:
    """Return the exit code for all requests, from the number of requests with each code."""
    if codes[ExitCode.OK]:
        return ExitCode.OK if codes[ExitCode.OK] == codes.total() else ExitCode.PARTIAL
    return ExitCode.API_ERROR if codes[ExitCode.API_ERROR] else ExitCode.USAGE
