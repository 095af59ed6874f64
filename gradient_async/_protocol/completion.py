"""The body of a chat completion that is no stream.

Source: chat completions of the agent and serverless reference.
"""

from __future__ import annotations

from gradient_async._protocol.answers import AnswerReader
from gradient_async.models.chat import ChatCompletion

completion_from = AnswerReader(ChatCompletion, "choices")
"""Returns the completion in the body of a successful answer."""
