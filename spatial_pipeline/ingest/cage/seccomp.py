"""Seccomp: system calls that a reader of files has no use for, refused.

A second wall behind Landlock, and the only one against sockets on kernels without it: no socket of
the internet, no other program, no look into other processes.

Source: Linux kernel documentation, "Seccomp BPF"; struct sock_filter in linux/filter.h.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
import sys

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4
"""Offsets in struct seccomp_data."""
_X32 = 0x40000000
"""Numbers from here are another way to ask the same on x86-64."""
_REFUSED = {
    # socket, connect, execve, execveat, ptrace, process_vm_readv, process_vm_writev, bpf,
    # io_uring_setup, perf_event_open, mount, keyctl
    "x86_64": (0xC000003E, (41, 42, 59, 322, 101, 310, 311, 321, 425, 298, 165, 250)),
    "aarch64": (0xC00000B7, (198, 203, 221, 281, 117, 270, 271, 280, 425, 241, 40, 219)),
}


def restrict() -> bool:
    """Refuses these system calls to this process and its threads to come, with EACCES, for ever.

    Returns:
        False on other systems and processors, or where a filter is forbidden.

    """
    known = _REFUSED.get(platform.machine())
    if sys.platform != "linux" or known is None:
        return False
    filters = _filters(*known)
    program = b"".join(struct.pack("HBBI", *f) for f in filters)
    buffer = ctypes.create_string_buffer(program)

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    head = Program(len(filters), ctypes.cast(buffer, ctypes.c_void_p))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    return bool(libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(head), 0, 0) == 0)


def _filters(architecture: int, numbers: tuple[int, ...]) -> list[tuple[int, int, int, int]]:
    """Instructions (code, jump if true, jump if false, operand) of the filter."""
    refuse = len(numbers) + 1
    """Distance from the first comparison to the refusal."""
    body = [(_JUMP_EQUAL, refuse - i, 0, number) for i, number in enumerate(numbers, start=1)]
    return [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_JUMP_EQUAL, 0, refuse + 2, architecture),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_JUMP_AT_LEAST, refuse, 0, _X32),
        *body,
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _ERRNO | errno.EACCES),
    ]
