"""The health of an agent.

Source: ``GET /health`` of the agent's own description.
"""

import attrs

from gradient_async.models.response_meta import ResponseModel


@attrs.define(kw_only=True, eq=False, repr=False)
class AgentHealth(ResponseModel):
    """The state of an agent; its ``status`` is ``"ok"`` while it serves requests."""

    status: str
