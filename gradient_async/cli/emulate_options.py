"""Options of ``emulate``: one for each setting of an `Emulator`, and the types of their values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from gradient_async.cli.options import choice_option
from gradient_async.testing import Tier

F = TypeVar("F", bound=Callable[..., Any])
_PORT = click.IntRange(0, 65535)
_SECONDS = click.FloatRange(min=0)


def parse_tier(value: str) -> tuple[str | None, Tier]:
    """Read ``[MODEL=]REQUESTS[/TOKENS[/TOKENS]]``: a model, None for every model, and its `Tier`."""
    model, _, quotas = value.rpartition("=")
    try:
        requests, *tokens = [_read_count(part) for part in quotas.split("/")]
        names = ("tokens_per_minute", "tokens_per_day")
        return model or None, Tier(requests, **dict(zip(names, tokens, strict=len(tokens) > len(names))))
    except ValueError:
        raise click.BadParameter(f"{value!r} is not like 60, 60/100000 or MODEL=60/100000/5000000.") from None


def parse_window(value: str) -> tuple[int, float]:
    """Read ``REQUESTS/SECONDS``: a rolling window."""
    requests, _, seconds = value.partition("/")
    try:
        return _read_count(requests), float(_read_count(seconds))
    except ValueError:
        raise click.BadParameter(f"{value!r} is not like 250/60.") from None


def read_passages(value: str) -> tuple[str, list[str]]:
    """Read ``ID=FILE``: the id of a knowledge base, and its texts, between which the file has a blank line."""
    name, separator, path = value.partition("=")
    if not (name and separator):
        raise click.BadParameter(f"{value!r} is not like ID=FILE.")
    try:
        text = Path(path).read_text("utf-8")
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise click.BadParameter(f"Cannot read {path}: {reason}.") from None
    return name, [passage.strip() for passage in text.split("\n\n") if passage.strip()]


_OPTIONS = (
    click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on."),
    click.option("--port", type=_PORT, default=8080, show_default=True, help="Port; 0 picks a free one."),
    click.option("--agent-port", type=_PORT, default=0, help="Port of the agent; by default a free one."),
    click.option("--storage-port", type=_PORT, default=0, help="Port of presigned URLs; by default a free one."),
    click.option("--tls", is_flag=True, help="Speak TLS; the certificate to trust is printed."),
    click.option("--api-key", help="The only key to accept; by default any."),
    click.option("--agent-key", help="The only key of the agent to accept; by default any."),
    click.option("--limits/--no-limits", default=True, show_default=True, help="Refuse requests beyond the limits."),
    click.option(
        "--window",
        "windows",
        type=parse_window,
        multiple=True,
        metavar="REQUESTS/SECONDS",
        help="A rate limit in place of the documented ones; repeatable.",
    ),
    click.option(
        "--tier",
        "tiers",
        type=parse_tier,
        multiple=True,
        metavar="[MODEL=]RPM[/TPM[/TPD]]",
        help="Quotas of a model, or of every model, in place of the limits; repeatable.",
    ),
    click.option(
        "--time-scale",
        type=click.FloatRange(min=0, min_open=True),
        default=1.0,
        help="Speed of the rate-limit windows: 60 makes a minute pass in a second.",
    ),
    click.option("--token-delay", type=_SECONDS, default=0.02, show_default=True, help="Seconds between tokens."),
    click.option("--seed", type=int, default=0, help="A number that changes the generated content."),
    click.option("--upstream", help="Address of an OpenAI-compatible server that generates the responses."),
    click.option("--model", "models", multiple=True, help="A model to list, in place of the default ones; repeatable."),
    click.option("--strict-models", is_flag=True, help="Refuse other models than the listed ones."),
    click.option("--batch-seconds", type=_SECONDS, default=0.3, show_default=True, help="Duration of a batch job."),
    choice_option(
        "--batch-shape",
        *("reference", "captured"),
        description="JSON of batch jobs: as documented, or as captured from the service.",
    ),
    choice_option(
        "--anthropic-endpoint",
        *("required", "forbidden"),
        description="The field endpoint of batch jobs for Anthropic.",
    ),
    click.option("--invocation-seconds", type=_SECONDS, default=0.3, help="Duration of an asynchronous invocation."),
    click.option("--video-seconds", type=_SECONDS, default=0.3, help="Duration of a video job."),
    choice_option("--speech-shape", "bytes", "base64", description="Speech as audio, or as JSON that holds it."),
    click.option("--lenient-agent", is_flag=True, help="Take agent requests that live agents take."),
    click.option(
        "--knowledge-base",
        "passages",
        type=read_passages,
        multiple=True,
        metavar="ID=FILE",
        help="Texts of a knowledge base, separated by blank lines; repeatable.",
    ),
)


def add_emulator_options(command: F) -> F:
    """Give *command* an option for each setting of an emulator."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def collect_settings(
    *,
    limits: bool,
    windows: tuple[tuple[int, float], ...],
    tiers: tuple[tuple[str | None, Tier], ...],
    models: tuple[str, ...],
    passages: tuple[tuple[str, list[str]], ...],
    **settings: Any,
) -> dict[str, Any]:
    """Return the arguments of `Emulator` for the values of the options.

    Raises:
        click.UsageError: The options contradict each other.
    """
    if len({model is None for model, _ in tiers}) > 1 or [model for model, _ in tiers].count(None) > 1:
        raise click.UsageError("Give --tier once for every model, or each time with a model.")
    by_model = dict(tiers)
    return settings | {
        "limits": (windows or "documented") if limits else None,
        "tier": by_model.get(None, by_model or None),
        "knowledge_bases": dict(passages),
        **({"models": models} if models else {}),
    }


def _read_count(text: str) -> int:
    """Return the positive number in *text*.

    Raises:
        ValueError: The text is not a positive number.
    """
    count = int(text)
    if count < 1:
        raise ValueError(text)
    return count
