"""The command line ``gradient-async``; it needs the extra ``cli``.

Contract: importing this package loads neither click nor rich.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec

__all__ = ["main"]


def main(args: Sequence[str] | None = None) -> int:
    """Run a command and exit with its code.

    Args:
        args: Command-line arguments; default: those of the process.
    """
    if find_spec("click") is None or find_spec("rich") is None:
        print("The command line needs two more packages: pip install 'gradient-async[cli]'", file=sys.stderr)
        return 2
    try:
        from gradient_async.cli.app import cli  # click is an extra

        cli.main(args=args, prog_name="gradient-async")
    except KeyboardInterrupt:
        pass  # before a command began; a running command exits by itself, with the same code
    except OSError as error:
        print(f"gradient-async: Help could not be printed: {error.strerror or error}.", file=sys.stderr)
        return 1
    return 130
