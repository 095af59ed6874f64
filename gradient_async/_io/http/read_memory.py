"""The memory of reads, which the allocator keeps between them.

asyncio reads from a socket into a new object of 256 KiB, and shrinks it to what arrived. glibc asks the kernel for a
block of that size, asks again to shrink it, and gives it back when the bytes are dropped: three system calls and fresh
pages for each read, a sixth of the CPU of a request. When such a block is dropped whole, glibc takes it as a sign that
the program often needs that size, and serves blocks up to it from its own memory from then on (``M_MMAP_THRESHOLD`` in
mallopt(3)). A read was shrunk before, so it never is that sign; one larger block is.
"""

from __future__ import annotations

from functools import cache

_LARGER_THAN_READS = 1 << 20


@cache
def keep_read_memory() -> None:
    """Make the allocator keep the memory of reads, once for the process; no page of the block is touched."""
    bytes(_LARGER_THAN_READS)
