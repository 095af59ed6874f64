"""Where a call goes.

Contract: the key is not shown. A session makes one for every call, so this loads nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from gradient_async._io.rate_limit.permit import Limiter


@attrs.frozen(eq=False, repr=False)
class Target:
    """A host, the key that belongs to it, and the budget that both share."""

    base_url: str
    key: str = attrs.field(repr=False)
    limiter: Limiter | None = None
