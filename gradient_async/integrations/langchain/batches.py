"""Batches that end as a whole: after the first failure, or when the loop is left, no further call is sent.

Contract: ``abatch`` and ``abatch_as_completed`` of LangChain, whose own raise the first failure and go on with every
other call in the background, up to the last one that waits for ``max_concurrency``; each is billed, and its answer
lost. Here the others are cancelled, and have ended when the failure is raised.
Source: ``Runnable`` of langchain-core 1.x.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import get_config_list


class BatchingChatModel(BaseChatModel):
    """A chat model whose batches leave no call behind."""

    async def abatch(
        self,
        inputs: list[LanguageModelInput],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[AIMessage]:
        """Return the messages for *inputs*, in their order. The first failure ends the other calls.

        Args:
            inputs: What ``ainvoke`` takes.
            config: LangChain's settings; ``max_concurrency`` limits the calls in flight.
            return_exceptions: Whether a failure takes the place of its message, and ends nothing.
            **kwargs: Parameters of each call.
        """
        options = {"return_exceptions": return_exceptions, **kwargs}
        async with aclosing(self.abatch_as_completed(inputs, config, **options)) as completed:
            messages = {index: message async for index, message in completed}
        return [messages[index] for index in range(len(inputs))]

    async def abatch_as_completed(
        self,
        inputs: Sequence[LanguageModelInput],
        config: RunnableConfig | Sequence[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> AsyncGenerator[tuple[int, Any], None]:
        """Yield the position and the message of each input as it completes. Leaving the loop ends the other calls.

        Args:
            inputs: What ``ainvoke`` takes.
            config: LangChain's settings; ``max_concurrency`` limits the calls in flight.
            return_exceptions: Whether a failure takes the place of its message, and ends nothing.
            **kwargs: Parameters of each call.
        """
        if not inputs:
            return
        configs = get_config_list(config, len(inputs))
        gate = asyncio.Semaphore(configs[0].get("max_concurrency") or len(inputs))

        async def call(index: int) -> tuple[int, Any]:
            async with gate:
                try:
                    return index, await self.ainvoke(inputs[index], configs[index], **kwargs)
                except Exception as error:
                    if return_exceptions:
                        return index, error
                    raise

        tasks = [asyncio.create_task(call(index)) for index in range(len(inputs))]
        try:
            for completed in asyncio.as_completed(tasks):
                yield await completed
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
