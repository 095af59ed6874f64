"""The library's logger: silent unless the application listens."""

import logging

logger = logging.getLogger("gradient_async")
logger.addHandler(logging.NullHandler())
