"""``gradient-async speech``: speak a text into a file."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import click

from gradient_async import MediaFile
from gradient_async.cli.examples import format_examples
from gradient_async.cli.file_output import guess_format, output_option, require_destination, write_file
from gradient_async.cli.options import open_session, service_options
from gradient_async.cli.prompt_input import read_prompt
from gradient_async.cli.terminal import print_line

DEFAULT_MODEL = "qwen3-tts-voicedesign"


@click.command(
    "speech", epilog=format_examples('speech "The train leaves from platform two." --voice alloy -o train.mp3')
)
@click.argument("text", required=False)
@click.option("-m", "--model", default=DEFAULT_MODEL, show_default=True, help="Text-to-speech model to use.")
@click.option("--voice", help="Name of the voice, as alloy.")
@click.option("--instructions", help="How to speak.")
@click.option("--format", "file_format", help="File format, as mp3 or wav; default: that of the file.")
@output_option
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON; without -o, it holds the audio.")
@service_options
def speech_command(
    *,
    text: str | None,
    model: str,
    voice: str | None,
    instructions: str | None,
    file_format: str | None,
    output: Path | None,
    as_json: bool,
    base_url: str | None,
) -> None:
    """Speak TEXT.

    Without TEXT, or with -, the text is read from stdin; text that is piped in follows TEXT.
    """
    require_destination(output, as_json=as_json)
    params = {
        "model": model,
        "input": read_prompt(text),
        "voice": voice,
        "instructions": instructions,
        "response_format": guess_format(output, file_format),
    }
    speech = asyncio.run(_speak_text(params, base_url))
    if output is not None or not as_json:
        write_file(speech, output)
    if as_json:
        print_line(json.dumps(_describe_speech(speech, output)))


async def _speak_text(params: dict[str, Any], base_url: str | None) -> MediaFile:
    async with open_session(base_url) as session:
        return await session.audio.speech.create(**params)


def _describe_speech(speech: MediaFile, output: Path | None) -> dict[str, Any]:
    """Return the JSON of *speech*: it names the file, or holds the audio."""
    facts = {"content_type": speech.content_type, "size": len(speech.content), "request_id": speech.meta.request_id}
    if output is None:
        return {**facts, "b64_json": base64.b64encode(speech.content).decode()}
    return {**facts, "file": str(output)}
