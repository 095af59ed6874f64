"""``gradient-async image``: generate images from a prompt into files."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import click

from gradient_async import ImageList, MediaFile
from gradient_async._protocol.http.media_body import sniff_type
from gradient_async.cli.examples import format_examples
from gradient_async.cli.file_output import guess_format, output_option, require_destination, write_file
from gradient_async.cli.options import open_session, service_options
from gradient_async.cli.prompt_input import read_prompt
from gradient_async.cli.terminal import print_line

DEFAULT_MODEL = "openai-gpt-image-1"
_FORMATS = ("png", "webp", "jpeg")


@click.command("image", epilog=format_examples('image "A baby sea otter" --size 1024x1024 -o otter.png'))
@click.argument("prompt", required=False)
@click.option("-m", "--model", default=DEFAULT_MODEL, show_default=True, help="Image model to use.")
@click.option("-n", "--count", type=click.IntRange(1, 10), default=1, show_default=True, help="Number of images.")
@click.option("--size", help="Width and height in pixels, as 1024x1024.")
@click.option("--quality", type=click.Choice(["auto", "low", "medium", "high"]), help="Quality of the image.")
@click.option("--background", type=click.Choice(["auto", "transparent", "opaque"]), help="Transparency.")
@click.option("--format", "file_format", type=click.Choice(_FORMATS), help="File format; default: that of the file.")
@output_option
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON; without -o, it holds the images.")
@service_options
def image_command(
    *,
    prompt: str | None,
    count: int,
    file_format: str | None,
    output: Path | None,
    as_json: bool,
    base_url: str | None,
    **options: Any,
) -> None:
    """Generate an image of PROMPT.

    Without PROMPT, or with -, the prompt is read from stdin; text that is piped in follows PROMPT. Several images are
    numbered: with -o cat.png they are cat-1.png, cat-2.png and so on.
    """
    require_destination(output, as_json=as_json)
    if count > 1 and output is None and not as_json:
        raise click.UsageError("Give a file with -o for several images, or --json.")
    wanted = guess_format(output, file_format)
    params = {
        **options,
        "prompt": read_prompt(prompt),
        "n": count,
        "output_format": {"jpg": "jpeg"}.get(wanted or "", wanted if wanted in _FORMATS else None),
    }
    images = asyncio.run(_generate_images(params, base_url))
    files = _assign_files(images, output)
    for file, path in files if output is not None or not as_json else ():
        write_file(file, path)
    if as_json:
        print_line(json.dumps(_describe_images(images, None if output is None else [path for _, path in files])))


async def _generate_images(params: dict[str, Any], base_url: str | None) -> ImageList:
    async with open_session(base_url) as session:
        return await session.images.generate(**params)


def _assign_files(images: ImageList, output: Path | None) -> list[tuple[MediaFile, Path | None]]:
    """Return each image as a file, and its path, which is numbered if there are several; None for stdout."""
    files = [MediaFile(content=image.content, content_type=sniff_type(image.content)) for image in images]
    return [(file, _number_path(output, number, len(files))) for number, file in enumerate(files, 1)]


def _number_path(output: Path | None, number: int, count: int) -> Path | None:
    """Return the path of one of *count* images."""
    return output if output is None or count == 1 else output.with_stem(f"{output.stem}-{number}")


def _describe_images(images: ImageList, paths: list[Path | None] | None) -> dict[str, Any]:
    """Return the JSON of *images*; it names their files at *paths*, or holds the images."""
    value = images.to_dict() | {"request_id": images.meta.request_id}
    for item, path in zip(value["data"], paths or (), strict=paths is not None):
        del item["b64_json"]
        item["file"] = str(path)
    return value
