"""The body of a message, or of a response, that is no stream.

Source: ``POST /v1/messages`` and ``POST /v1/responses`` of the serverless reference.
"""

from __future__ import annotations

from gradient_async._protocol.answers import AnswerReader
from gradient_async.models.messages import MessageReply
from gradient_async.models.responses import ResponseReply

message_from = AnswerReader(MessageReply, "content")
"""Returns the message in the body of a successful answer."""
response_from = AnswerReader(ResponseReply, "output")
"""Returns the response in the body of a successful answer; one that failed is an error."""
