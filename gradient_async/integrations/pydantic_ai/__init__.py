"""Pydantic AI: a model over a session."""

from gradient_async.integrations.pydantic_ai.model import GradientModel

__all__ = ["GradientModel"]
