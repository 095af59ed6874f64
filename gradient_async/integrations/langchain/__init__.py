"""LangChain and LangGraph: a chat model over a session."""

from gradient_async.integrations.langchain.model import ChatGradient

__all__ = ["ChatGradient"]
