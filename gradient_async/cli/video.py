"""``gradient-async video``: generate a video from a prompt into a file."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from pathlib import Path
from typing import Any

import attrs
import click

from gradient_async import GradientError, Video
from gradient_async._io.stream.body_file import resolve_target
from gradient_async.cli.examples import format_examples
from gradient_async.cli.file_output import output_option
from gradient_async.cli.options import SECONDS, job_options, open_session
from gradient_async.cli.prompt_input import read_prompt
from gradient_async.cli.terminal import print_line, remove_controls

DEFAULT_MODEL = "wan2-2-t2v-a14b"


@attrs.define(kw_only=True)
class VideoCommand:
    """One video, and where it goes.

    Attributes:
        params: Parameters of the video; None to wait for *video_id*.
        video_id: The id of the video, as soon as it is known.
        output: File for the video.
        timeout: Seconds to wait for its end; None for any time.
        base_url: Address of the service; None for the configured one.
    """

    params: dict[str, Any] | None
    video_id: str | None
    output: Path
    timeout: float | None
    base_url: str | None


@click.command("video", epilog=format_examples('video "Waves on a beach at sunset" --size 1280x720 -o waves.mp4'))
@click.argument("prompt", required=False)
@click.option("-m", "--model", default=DEFAULT_MODEL, show_default=True, help="Video model to use.")
@click.option("--size", help="Width and height in pixels, as 1280x720.")
@click.option("--fps", type=click.IntRange(min=1), help="Frames per second.")
@click.option("--id", "video_id", help="Wait for this video instead of starting one.")
@click.option("--timeout", type=SECONDS, help="Seconds to wait for the end; default: any time.")
@output_option
@click.option("--json", "as_json", is_flag=True, help="Print the video and its file as one line of JSON.")
@job_options
def video_command(
    *,
    prompt: str | None,
    video_id: str | None,
    timeout: float | None,
    output: Path | None,
    as_json: bool,
    base_url: str | None,
    **options: Any,
) -> None:
    """Generate a video of PROMPT and save it with -o.

    Without PROMPT, or with -, the prompt is read from stdin. A video goes on at the service when the command is
    interrupted; --id waits for it again, and pays nothing twice.
    """
    if output is None:
        raise click.UsageError("Give a file with -o.")
    resolve_target(output)  # a video that cannot be saved is billed
    params = {"prompt": read_prompt(prompt), **options} if video_id is None else None
    command = VideoCommand(params=params, video_id=video_id, output=output, timeout=timeout, base_url=base_url)
    video = _run_until_interrupted(command)
    _print_note(f"{output}: {output.stat().st_size} bytes")
    if as_json:
        print_line(json.dumps(video.to_dict() | {"file": str(output)}))


def _run_until_interrupted(command: VideoCommand) -> Video:
    """Make the video; after any early end, say how to go on."""
    try:
        return asyncio.run(_make_video(command))
    except (GradientError, OSError, KeyboardInterrupt):
        if command.video_id is not None:
            words = ["gradient-async", "video", "--id", command.video_id, "-o", str(command.output)]
            words += ["--base-url", command.base_url] if command.base_url is not None else []
            _print_note(f"This waits for the same video again: {shlex.join(words)}")
        raise


async def _make_video(command: VideoCommand) -> Video:
    async with open_session(command.base_url) as session:
        if command.params is not None:
            video = await session.videos.create(**command.params)
            command.video_id = video.id
            _print_note(f"{video.id}: {video.status}")
        assert command.video_id is not None  # noqa: S101 - given, or just created
        video = await session.videos.wait(command.video_id, timeout=command.timeout)
        await session.videos.download(command.video_id, command.output)
    return video


def _print_note(text: str) -> None:
    click.echo(remove_controls(text, sys.stderr), err=True)
