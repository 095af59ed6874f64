"""Tests of the memory of reads: whether the allocator asks the kernel for it each time."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

COUNT_MAPPED_BLOCKS = """
import ctypes

class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in (*"0123", "bytes", *"56789")]

get_info = ctypes.CDLL(None).mallinfo2
get_info.restype = Info
def count_mapped_blocks():
    before = getattr(get_info(), "3")
    read = bytearray(256 * 1024)
    return getattr(get_info(), "3") - before

print(count_mapped_blocks())
from gradient_async._io.http.read_memory import keep_read_memory
keep_read_memory()
print(count_mapped_blocks())
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="needs glibc 2.33 or newer")
def test_a_read_asks_the_kernel_for_no_memory_once_it_is_kept() -> None:
    done = subprocess.run([sys.executable, "-c", COUNT_MAPPED_BLOCKS], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "0"]
