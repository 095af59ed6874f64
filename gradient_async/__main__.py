"""Run the command line as ``python -m gradient_async``; it needs the extra ``cli``."""

import sys

from gradient_async.cli import main

if __name__ == "__main__":
    sys.exit(main())
