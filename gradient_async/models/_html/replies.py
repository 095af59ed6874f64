"""Chat completions, messages, responses, images and recordings in a notebook.

Contract: as for `gradient_async.models._html.page`. Prompts are not shown: a result does not hold them, except the
``revised_prompt`` of an image, which is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from gradient_async.models._html.page import Page, escape_html, render_table
from gradient_async.models._texts import shorten_repr, summarize_error

if TYPE_CHECKING:
    from gradient_async.models.chat import ChatCompletion, Message
    from gradient_async.models.images import GeneratedImage, ImageList
    from gradient_async.models.media_file import MediaFile
    from gradient_async.models.messages import ContentBlock, MessageReply
    from gradient_async.models.model_info import ModelList
    from gradient_async.models.response_meta import ResponseModel
    from gradient_async.models.responses import OutputItem, ResponseReply
    from gradient_async.models.tool_run import ToolRun


def show_completion(completion: ChatCompletion) -> str:
    """Return the text of each choice, and the facts about the call."""
    page = _begin_page(completion, completion.model, completion.finish_reason)
    for choice in completion.choices:
        if len(completion.choices) > 1:
            page.add_facts([("choice", choice.index), ("finish", choice.finish_reason)])
        _add_chat_message(page, choice.message)
    page.add_facts(_list_agent_facts(completion))
    return page.render()


def show_message(message: MessageReply) -> str:
    """Return the blocks of a message, and the facts about the call."""
    page = _begin_page(message, message.model, message.stop_reason)
    for block in message.content:
        _add_block(page, block)
    return page.render()


def show_response(response: ResponseReply) -> str:
    """Return the items of the output, and the facts about the call."""
    details = response.incomplete_details
    reason = f" ({details.reason})" if details is not None and details.reason else ""
    page = _begin_page(response, response.model, f"{response.status or ''}{reason}")
    for item in response.output:
        _add_item(page, item)
    return page.render()


def show_tool_run(run: ToolRun[Any, Any, Any]) -> str:
    """Return the steps of a conversation with tools, and the last reply; not the conversation, which is a prompt."""
    page = Page()
    for step in run.steps:
        outcome = "" if step.error is None else f": {summarize_error(step.error)}"
        page.add_facts([(f"round {step.round}", f"{step.call.function.name}{outcome}")])
    page.add_reply(run.completion)
    return page.render()


def show_images(images: ImageList) -> str:
    """Return the images, and the facts about the call."""
    page = _begin_page(images, "", "")
    page.add_facts([("size", images.size), ("quality", images.quality), ("format", images.output_format)])
    for image in images.data:
        page.add_image(image.b64_json)
    return page.render()


def show_image(image: GeneratedImage) -> str:
    """Return one image."""
    page = Page()
    page.add_image(image.b64_json)
    return page.render()


def show_media_file(file: MediaFile) -> str:
    """Return a player for speech or a video."""
    page = Page()
    page.add_player(file.content, file.content_type)
    return page.render()


def show_models(models: ModelList) -> str:
    """Return a table of models."""
    rows = ((escape_html(model.id), escape_html(model.owned_by)) for model in models.data)
    return render_table(("model", "owned by"), rows, f"{len(models.data)} models")


def _begin_page(reply: ResponseModel, model: str, finish: str | None) -> Page:
    """Return a page with the facts that the results of all calls have, and what ``parse`` made of the text."""
    page, meta = Page(), reply.meta
    total = meta.timings.total
    facts = [
        ("model", model),
        ("finish", finish),
        ("tokens", _describe_tokens(getattr(reply, "usage", None))),
        ("time", None if total is None else f"{total:.2f} s"),
        ("attempts", meta.attempts if meta.attempts > 1 else None),
        ("request", meta.request_id),
    ]
    page.add_facts(facts)
    if hasattr(reply, "parsed"):
        page.add_text(shorten_repr(reply.parsed, 2_000), title="parsed")
    return page


def _describe_tokens(usage: Any) -> str | None:
    """Return the numbers of tokens under either of their names: ``12 in, 5 out``."""
    consumed = getattr(usage, "input_tokens", None) or getattr(usage, "prompt_tokens", None)
    generated = getattr(usage, "output_tokens", None) or getattr(usage, "completion_tokens", None)
    return f"{consumed or 0} in, {generated or 0} out" if consumed or generated else None


def _add_chat_message(page: Page, message: Message) -> None:
    page.add_text(message.reasoning_content or message.reasoning, title="reasoning", folded=True)
    page.add_text(message.content)
    page.add_text(message.refusal, title="refusal")
    for call in message.tool_calls or ():
        page.add_text(call.function.arguments or "{}", title=f"calls {call.function.name}")


def _add_block(page: Page, block: ContentBlock) -> None:
    page.add_text(block.thinking, title="thinking", folded=True)
    page.add_text(block.text)
    if block.type == "tool_use":
        page.add_text(json.dumps(block.input, ensure_ascii=False), title=f"calls {block.name}")
    elif block.type not in ("text", "thinking"):
        page.add_facts([("block", block.type)])


def _add_item(page: Page, item: OutputItem) -> None:
    page.add_text(item.reasoning, title="reasoning", folded=True)
    page.add_text(item.text)
    for part in item.content or ():
        page.add_text(part.refusal, title="refusal")
    if item.arguments is not None:
        page.add_text(item.arguments, title=f"calls {item.name}")
    elif item.type not in ("message", "reasoning"):
        page.add_facts([("item", item.type)])


def _list_agent_facts(completion: ChatCompletion) -> Iterable[tuple[str, object]]:
    """Yield what an agent reports beside its answer."""
    if completion.retrieval is not None:
        yield "retrieved", f"{len(completion.retrieval.retrieved_data)} passages"
    if completion.functions is not None:
        yield "called", ", ".join(completion.functions.called_functions)
    if completion.guardrails is not None:
        rules = (each.rule_name or "a guardrail" for each in completion.guardrails.triggered_guardrails)
        yield "triggered", ", ".join(rules)
