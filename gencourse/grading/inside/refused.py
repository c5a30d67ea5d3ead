"""System calls that a submission is refused: memory that no process shows, and that nobody could count.

System V segments and message queues, and files in memory (which may be on their way through a socket, open nowhere).
A filter of the kernel (seccomp) answers them with "not implemented", as a kernel built without them would.
"""

import ctypes
import os
import platform
import struct
import sys

MACHINES = {  # the kernel's number of the machine, of the call seccomp, and of the calls that are refused
    "x86_64": (0xC000003E, 317, {"shmget": 29, "msgget": 68, "memfd_create": 319, "memfd_secret": 447}),
    "aarch64": (0xC00000B7, 277, {"shmget": 194, "msgget": 186, "memfd_create": 279, "memfd_secret": 447}),
}
LOAD, IF_EQUAL, IF_AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
NUMBER, MACHINE = 0, 4  # where they stand in what the filter reads
ALLOW, NOT_IMPLEMENTED = 0x7FFF0000, 0x00050000 | 38
OTHER_TABLE = 0x40000000  # from here on the same calls under other numbers (x32)


def program(machine: int, refused: list[int]) -> list[tuple[int, int, int, int]]:
    """The filter, as instructions (code, jump if true, jump if false, number). Calls for another machine are refused too."""
    last = 5 + len(refused)  # where a call is refused
    start = [(LOAD, 0, 0, MACHINE), (IF_EQUAL, 0, last - 2, machine), (LOAD, 0, 0, NUMBER), (IF_AT_LEAST, last - 4, 0, OTHER_TABLE)]
    tests = [(IF_EQUAL, last - 5 - i, 0, number) for i, number in enumerate(refused)]
    return [*start, *tests, (RETURN, 0, 0, ALLOW), (RETURN, 0, 0, NOT_IMPLEMENTED)]


def refuse_hidden_memory() -> None:
    """From here on this process, and all that it starts, cannot have such memory. Raises OSError where the kernel has no filters.

    Does nothing on other systems and machines than Linux on x86-64 and 64-bit ARM.
    """
    if sys.platform != "linux" or platform.machine() not in MACHINES:
        return
    machine, seccomp, refused = MACHINES[platform.machine()]
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in program(machine, list(refused.values())))
    buffer = ctypes.create_string_buffer(code)
    filters = struct.pack("@HP", len(code) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    no_new_privileges, whole_process, mode_filter = 38, 1, 1
    if libc.prctl(no_new_privileges, 1, 0, 0, 0) or libc.syscall(seccomp, mode_filter, whole_process, filters):
        raise OSError(ctypes.get_errno(), f"the kernel should take a filter of system calls: {os.strerror(ctypes.get_errno())}")
