"""Shuts a process in: Landlock for files, seccomp for system calls, resource limits for the rest.

Linux only. Everything here is done by the process to itself, and cannot be undone by it.
Layouts follow linux/landlock.h, linux/seccomp.h and linux/filter.h.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
_FS_READ_FILE, _FS_READ_DIR = 1 << 2, 1 << 3
# all rights of each Landlock version: files (16 bits at first), then refer, truncate, ioctl
_FS_BITS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}

_DENIED = {
    "x86_64": (
        0xC000003E,
        56,
        435,
        234,
        # sockets, processes, signals to others, tracing, namespaces, mounts, kernel, clocks, io_uring, keys
        (
            *(
                41,
                42,
                43,
                44,
                45,
                46,
                47,
                48,
                49,
                50,
                53,
                288,
                299,
                307,
                57,
                58,
                59,
                322,
                62,
                200,
                129,
                297,
                424,
            ),
            *(
                434,
                438,
                101,
                310,
                311,
                272,
                308,
                165,
                166,
                155,
                161,
                428,
                429,
                430,
                431,
                432,
                433,
                442,
                169,
                175,
            ),
            *(
                176,
                313,
                246,
                320,
                167,
                168,
                163,
                164,
                227,
                159,
                305,
                425,
                426,
                427,
                248,
                249,
                250,
                298,
                321,
                323,
            ),
            *(
                135,
                103,
                172,
                173,
                304,
                303,
                170,
                171,
                180,
                206,
                209,
                240,
                241,
                242,
                243,
                244,
                245,
                29,
                30,
                31,
            ),
        ),
    ),
    "aarch64": (
        0xC00000B7,
        220,
        435,
        131,
        (
            *(
                198,
                199,
                200,
                201,
                202,
                203,
                204,
                205,
                206,
                207,
                208,
                209,
                210,
                211,
                212,
                242,
                243,
                269,
                221,
                281,
            ),
            *(
                129,
                130,
                138,
                240,
                424,
                434,
                438,
                117,
                270,
                271,
                97,
                268,
                40,
                39,
                41,
                51,
                428,
                429,
                430,
                431,
                432,
            ),
            *(
                433,
                442,
                142,
                105,
                106,
                273,
                104,
                294,
                224,
                225,
                89,
                170,
                112,
                171,
                266,
                425,
                426,
                427,
                217,
                218,
            ),
            *(
                219,
                241,
                280,
                282,
                92,
                116,
                265,
                264,
                161,
                162,
                194,
                195,
                196,
                197,
                180,
                181,
                182,
                183,
                184,
                185,
            ),
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class Confinement:
    """What took hold. `landlock` is the kernel's version of it, 0 when there is none."""

    landlock: int
    seccomp: bool

    @property
    def complete(self) -> bool:
        """Whether both took hold."""
        return self.landlock >= 1 and self.seccomp

    def as_dict(self) -> dict[str, object]:
        """For the health answer."""
        return {**asdict(self), "complete": self.complete}


def confine(*, read: Sequence[str], write: Sequence[str]) -> Confinement:
    """Shut this process in for good: it can read under `read`, write under `write`, and nothing else.

    Call it before any thread starts: threads made before keep what they had.
    """
    if not sys.platform.startswith("linux") or _threads() != 1:
        return Confinement(0, False)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return Confinement(0, False)
    return Confinement(_landlock(libc, read, write), _seccomp(libc))


def tighten(*, read: Sequence[str], write: Sequence[str]) -> None:
    """Take more away from the calling thread and the threads it will start."""
    if sys.platform.startswith("linux"):
        _landlock(ctypes.CDLL(None, use_errno=True), read, write)


def library_paths() -> list[str]:
    """What Python and its extension modules read while they load."""
    fixed = (
        "/usr/lib",
        "/usr/lib64",
        "/lib",
        "/lib64",
        "/usr/share/zoneinfo",
        "/etc/ld.so.cache",
        "/dev/null",
    )
    system = ("/dev/urandom", "/proc/self/cgroup", "/proc/meminfo", "/proc/cpuinfo", "/sys/fs/cgroup")
    wanted = (*fixed, *system, "/sys/devices/system/cpu", sys.prefix, sys.base_prefix, *sys.path)
    return [path for path in dict.fromkeys(wanted) if path.startswith("/") and os.path.exists(path)]  # noqa: PTH110


def _threads() -> int:
    tasks = "/proc/self/task"
    return len(os.listdir(tasks)) if os.path.isdir(tasks) else 1  # noqa: PTH112, PTH208


def limit(*, memory_bytes: int, file_bytes: int) -> bool:
    """Bound the address space beyond what is in use, and the size of files. Whether it took hold."""
    ceiling = _virtual_bytes() + memory_bytes
    wanted = [
        (resource.RLIMIT_AS, ceiling),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_NOFILE, 256),
        (resource.RLIMIT_CORE, 0),
    ]
    try:
        for which, amount in wanted:
            resource.setrlimit(which, (amount, amount))
    except (ValueError, OSError):
        return False
    return True


def allow_cpu(seconds: int) -> None:
    """Let this process use that many more seconds of CPU; the kernel ends it when it uses more."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + seconds + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(
        resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard)
    )


def _virtual_bytes() -> int:
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - read once, before the lock
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 1 << 30


def _landlock(libc: ctypes.CDLL, read: Sequence[str], write: Sequence[str]) -> int:
    version = libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return 0
    files = (1 << _FS_BITS.get(version, 16)) - 1
    network = 3 if version >= 4 else 0
    scopes = 3 if version >= 6 else 0
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    attributes = struct.pack("<QQQ", files, network, scopes)[:size]
    ruleset = libc.syscall(_LANDLOCK_CREATE, attributes, ctypes.c_size_t(size), 0)
    if ruleset < 0:
        return 0
    try:
        for path in read:
            _allow(libc, ruleset, path, _FS_READ_FILE | (_FS_READ_DIR if os.path.isdir(path) else 0))  # noqa: PTH112
        for path in write:
            _allow(libc, ruleset, path, files & ~1)  # everything but execute
        if libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0) != 0:
            return 0
    finally:
        os.close(ruleset)
    return version


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, access: int) -> None:
    handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = struct.pack("<Qi", access, handle)
        if libc.syscall(_LANDLOCK_ADD, ruleset, 1, rule, 0) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), path)
    finally:
        os.close(handle)


def _seccomp(libc: ctypes.CDLL) -> bool:
    """Denies the listed calls with EPERM, new processes (threads stay), and signals to other processes."""
    known = _DENIED.get(platform.machine())
    if known is None:
        return False
    architecture, clone, clone3, tgkill, denied = known
    program = _filter(architecture, clone, clone3, tgkill, denied)
    buffer = ctypes.create_string_buffer(program)
    header = struct.pack(
        "@HxxxxxxP" if struct.calcsize("P") == 8 else "@HxxP", len(program) // 8, ctypes.addressof(buffer)
    )
    return libc.prctl(_PR_SET_SECCOMP, 2, ctypes.c_char_p(header), 0, 0) == 0


def _filter(architecture: int, clone: int, clone3: int, tgkill: int, denied: Sequence[int]) -> bytes:
    load, equal, any_bit, give = 0x20, 0x15, 0x45, 0x06
    allow, deny, kill = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x80000000
    missing = 0x00050000 | errno.ENOSYS
    steps: list[tuple[int, int, int, int]] = [
        (load, 0, 0, 4),
        (equal, 1, 0, architecture),
        (give, 0, 0, kill),
        (load, 0, 0, 0),
        (equal, 0, 1, clone3),  # glibc then falls back to clone, whose flags can be read here
        (give, 0, 0, missing),
        (equal, 0, 4, clone),
        (load, 0, 0, 16),
        (any_bit, 0, 1, 0x00010000),  # CLONE_THREAD
        (give, 0, 0, allow),
        (give, 0, 0, deny),
        (equal, 0, 4, tgkill),
        (load, 0, 0, 16),
        (equal, 0, 1, os.getpid()),
        (give, 0, 0, allow),
        (give, 0, 0, deny),
    ]
    for number in denied:
        steps += [(equal, 0, 1, number), (give, 0, 0, deny)]
    if architecture == 0xC000003E:
        steps += [(0x35, 0, 1, 0x40000000), (give, 0, 0, deny)]  # the x32 table
    steps.append((give, 0, 0, allow))
    return b"".join(struct.pack("<HBBI", *step) for step in steps)
