"""Valid sample files: PNG images of one colour, WAV files of silence, and MP4 files without a track.

Contract: pure; the same subject gives the same colour.
Source: the PNG specification (indexed colour, one bit a pixel); WAVE as the standard library writes it; ISO/IEC
14496-12 for the boxes of an MP4 file.
"""

from __future__ import annotations

import hashlib
import io
import struct
import wave
import zlib

_SAMPLES_PER_SECOND = 8000


def make_png(subject: str, width: int, height: int) -> bytes:
    """Return a PNG of *width* x *height* pixels in the colour of *subject*."""
    colour = hashlib.sha256(subject.encode(errors="surrogatepass")).digest()[:3]
    header = struct.pack(">IIBBBBB", width, height, 1, 3, 0, 0, 0)
    rows = bytes(1 + (width + 7) // 8) * height
    chunks = ((b"IHDR", header), (b"PLTE", colour), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_png_chunk(name, data) for name, data in chunks)


def make_wav(seconds: float) -> bytes:
    """Return a WAV file of *seconds* of silence."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(_SAMPLES_PER_SECOND)
        sound.writeframes(b"\x80" * int(seconds * _SAMPLES_PER_SECOND))
    return file.getvalue()


def make_mp4(subject: str) -> bytes:
    """Return an MP4 file of a second without a track; a free box holds a hash of *subject*."""
    identity_matrix = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    header = struct.pack(">IIIII", 0, 0, 0, 1000, 1000) + struct.pack(">IH", 0x10000, 0x100) + bytes(10)
    movie_header = _mp4_box(b"mvhd", header + identity_matrix + bytes(24) + struct.pack(">I", 1))
    digest = hashlib.sha256(subject.encode(errors="surrogatepass")).digest()
    boxes = ((b"ftyp", b"isom\x00\x00\x02\x00isommp42"), (b"moov", movie_header), (b"free", digest))
    return b"".join(_mp4_box(name, data) for name, data in boxes)


def _mp4_box(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", 8 + len(data)) + name + data


def _png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
