"""Landlock: the files that this process may open from now on, and no network.

Source: Linux kernel documentation, "Landlock: unprivileged access control" (userspace-api).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterable
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1
"""Flag of create_ruleset that asks for the ABI version."""
_PATH_BENEATH = 1
_PR_SET_NO_NEW_PRIVS = 38
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _IOCTL_DEVICE = 1 << 14, 1 << 15
_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEVICE
"""Rights that a rule about a single file may have."""
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
"""File rights that appeared with each ABI version."""
_NETWORK_ABI, _BIND_AND_CONNECT = 4, 0b11
_SCOPE_ABI, _ABSTRACT_SOCKETS_AND_SIGNALS = 6, 0b11


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def abi_version() -> int:
    """Version of Landlock that the kernel offers; 0 where there is none."""
    if sys.platform != "linux":
        return 0
    return max(0, _syscall(_CREATE_RULESET, None, 0, _VERSION))


def restrict(readable: Iterable[Path], writable: Iterable[Path]) -> bool:
    """Lets this process open only these files and folders, for ever.

    TCP connections, abstract Unix sockets and signals to other processes are refused too where
    the kernel can. Threads that run already are not restricted: call it before there are any.

    Args:
        readable: files, and folders with all below them; those that do not exist are left out.
        writable: folders in which anything may be done.

    Returns:
        False where the kernel has no Landlock, or forbids it; nothing is restricted then.

    Raises:
        OSError: the restriction failed half way.

    """
    version = abi_version()
    if not version:
        return False
    handled = _FILE_RIGHTS[max(v for v in _FILE_RIGHTS if v <= version)]
    rules = _Ruleset(
        handled,
        _BIND_AND_CONNECT if version >= _NETWORK_ABI else 0,
        _ABSTRACT_SOCKETS_AND_SIGNALS if version >= _SCOPE_ABI else 0,
    )
    size = 8 if version < _NETWORK_ABI else 16 if version < _SCOPE_ABI else 24
    ruleset = _checked(_syscall(_CREATE_RULESET, ctypes.byref(rules), size, 0))
    try:
        for path in readable:
            _allow(ruleset, path, handled & _READ)
        for path in writable:
            _allow(ruleset, path, handled)
        libc = ctypes.CDLL(None, use_errno=True)
        _checked(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        _checked(_syscall(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)
    return True


def _allow(ruleset: int, path: Path, access: int) -> None:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not path.is_dir():
                access &= _FILE
            rule = _PathBeneath(access, descriptor)
            _checked(_syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0))
        finally:
            os.close(descriptor)


def _syscall(number: int, *args: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    return int(libc.syscall(ctypes.c_long(number), *args))


def _checked(value: int) -> int:
    if value < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return value
