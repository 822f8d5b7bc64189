"""What glibc does with freed memory."""

import ctypes
import platform

# Of glibc's malloc.h; the values are the largest that it takes.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
GIGABYTE = 2**30


def keep_freed_memory() -> bool:
    """Tells glibc to keep what this process frees; False where there is no glibc.

    XLA allocates the intermediates of each call again. By default glibc gives them back to the system each time, and
    the page faults of the next call cost as much as a quarter of the work (docs/benchmarks.md). The process then stays
    as large as it ever was.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL("libc.so.6").mallopt
    options = {M_MMAP_THRESHOLD: GIGABYTE, M_TRIM_THRESHOLD: 2 * GIGABYTE - 1, M_TOP_PAD: GIGABYTE // 4}
    done = [mallopt(option, value) for option, value in options.items()]
    return all(done)
