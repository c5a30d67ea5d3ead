"""System calls that a submission is refused: they reach other processes, the kernel's shared state,
or memory that nobody could count.

A filter of the kernel (seccomp) answers them with "not implemented", as a kernel built without them
would, and so every call that is newer than this list. Why each call of the kernel is refused,
bounded or harmless stands in the tests (tests/grading/test_syscalls.py).

The filter is put together here and not by libseccomp, whose rules name single calls: "every number
above the newest that was judged" cannot be said in them, and a list of all that is allowed would
lack the names that the installed library does not know yet.
"""

import ctypes
import errno
import os
import platform
import struct
import sys

NEWEST = (
    469  # the last call that was judged; from 424 on calls have the same number on all machines
)
REFUSED = {  # name: its numbers on x86-64 and on 64-bit ARM, None where it does not exist
    # other processes: their memory, their descriptors, their course
    **{
        "ptrace": (101, 117),
        "process_vm_readv": (310, 270),
        "process_vm_writev": (311, 271),
        "pidfd_getfd": (438, 438),
    },
    **{
        "kcmp": (312, 272),
        "process_madvise": (440, 440),
        "process_mrelease": (448, 448),
        "get_robust_list": (274, 100),
    },
    **{"migrate_pages": (256, 238), "move_pages": (279, 239), "perf_event_open": (298, 241)},
    # what the kernel keeps for all
    **{
        "add_key": (248, 217),
        "request_key": (249, 218),
        "keyctl": (250, 219),
        "syslog": (103, 116),
        "bpf": (321, 280),
    },
    **{
        "mount": (165, 40),
        "umount2": (166, 39),
        "pivot_root": (155, 41),
        "chroot": (161, 51),
        "setns": (308, 268),
        "unshare": (272, 97),
    },
    **{
        "open_tree": (428, 428),
        "open_tree_attr": (467, 467),
        "move_mount": (429, 429),
        "mount_setattr": (442, 442),
    },
    **{
        "fsopen": (430, 430),
        "fsconfig": (431, 431),
        "fsmount": (432, 432),
        "fspick": (433, 433),
        "lsm_set_self_attr": (460, 460),
    },
    **{
        "name_to_handle_at": (303, 264),
        "open_by_handle_at": (304, 265),
        "quotactl": (179, 60),
        "quotactl_fd": (443, 443),
    },
    **{
        "swapon": (167, 224),
        "swapoff": (168, 225),
        "reboot": (169, 142),
        "acct": (163, 89),
        "vhangup": (153, 58),
    },
    **{
        "sethostname": (170, 161),
        "setdomainname": (171, 162),
        "settimeofday": (164, 170),
        "clock_settime": (227, 112),
    },
    **{
        "clock_adjtime": (305, 266),
        "adjtimex": (159, 171),
        "init_module": (175, 105),
        "finit_module": (313, 273),
    },
    **{"delete_module": (176, 106), "kexec_load": (246, 104), "kexec_file_load": (320, 294)},
    **{
        "modify_ldt": (154, None),
        "iopl": (172, None),
        "ioperm": (173, None),
        "seccomp": (317, 277),
        "clone3": (435, 435),
    },
    # memory that no process shows
    **{
        "shmget": (29, 194),
        "shmat": (30, 196),
        "shmctl": (31, 195),
        "shmdt": (67, 197),
        "mq_open": (240, 180),
        "mq_unlink": (241, 181),
    },
    **{"semget": (64, 190), "semop": (65, 193), "semctl": (66, 191), "semtimedop": (220, 192)},
    **{"msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188), "msgctl": (71, 187)},
    **{
        "memfd_create": (319, 279),
        "memfd_secret": (447, 447),
        "userfaultfd": (323, 282),
        "io_setup": (206, 0),
    },
    **{"io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427)},
    **{
        "landlock_create_ruleset": (444, 444),
        "landlock_add_rule": (445, 445),
        "landlock_restrict_self": (446, 446),
    },
    **{
        "epoll_create": (213, None),
        "epoll_create1": (291, 20),
        "inotify_init": (253, None),
        "inotify_init1": (294, 26),
    },
    **{
        "fanotify_init": (300, 262),
        "splice": (275, 76),
        "tee": (276, 77),
        "vmsplice": (278, 75),
        "sendfile": (40, 71),
    },
    **{
        "setxattr": (188, 5),
        "lsetxattr": (189, 6),
        "fsetxattr": (190, 7),
        "setxattrat": (463, 463),
    },
}
NO_ATTRIBUTES = (
    "setxattr",
    "lsetxattr",
    "fsetxattr",
    "setxattrat",
)  # as of a file system that has none: who copies files expects that
# name: its two numbers, the argument that decides, the values that it may have, the error for
# others
ALLOWED = {
    "socket": (
        (41, 198),
        0,
        (1,),
        errno.EAFNOSUPPORT,
    ),  # AF_UNIX: in the box there is nobody else to talk to
    "socketpair": ((53, 199), 0, (1,), errno.EAFNOSUPPORT),
    "setsockopt": (
        (54, 208),
        2,
        (2, 9, 16, 20, 21),
        errno.ENOPROTOOPT,
    ),  # REUSEADDR KEEPALIVE PASSCRED RCVTIMEO SNDTIMEO; no larger buffers
    "fcntl": (
        (72, 25),
        1,
        (*range(12), 1030, 1032),
        errno.EINVAL,
    ),  # no larger pipes, no leases, no locks that belong to no process
    "prlimit64": ((302, 261), 0, (0,), errno.EPERM),  # of oneself
    "prctl": (
        (157, 167),
        0,
        (1, 2, 3, 15, 16, 21, 23, 27, 29, 30, 36, 37, 38, 39, 40, 41, 42),
        errno.EINVAL,
    ),  # on oneself: names, signals
}
CLONE = (56, 220)
THREAD, OWN_FILES, NEW_NAMESPACE = (
    0x00010000,
    0x00000400,
    0x7E020000,
)  # flags of clone; without the second, files are one's own
MACHINES = {
    "x86_64": (0xC000003E, 0),
    "aarch64": (0xC00000B7, 1),
}  # the kernel's number of a machine, its place in the pairs above
LOAD, IF_EQUAL, IF_AT_LEAST, IF_ANY, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, MACHINE, ARGUMENTS = 0, 4, 16  # where they stand in what the filter reads
ALLOW, REFUSE = 0x7FFF0000, 0x00050000  # the latter and an errno
Instruction = tuple[int, int, int, int]  # code, how far to jump if true, if false, number


def program(name: str) -> list[Instruction]:
    """The filter for a machine of this name. Calls in another machine's way (32-bit, x32) are
    refused as well.
    """
    machine, column = MACHINES[name]
    refuse = (RETURN, 0, 0, REFUSE | errno.ENOSYS)
    filtered = [
        (LOAD, 0, 0, MACHINE),
        (IF_EQUAL, 1, 0, machine),
        refuse,
        (LOAD, 0, 0, NUMBER),
        (IF_AT_LEAST, 0, 1, NEWEST + 1),
        refuse,
    ]
    for call, numbers in REFUSED.items():
        number = numbers[column]
        if number is not None:
            answer = (
                RETURN,
                0,
                0,
                REFUSE | (errno.ENOTSUP if call in NO_ATTRIBUTES else errno.ENOSYS),
            )
            filtered += [(IF_EQUAL, 0, 1, number), answer]
    for numbers, argument, values, error in ALLOWED.values():
        tests = [(IF_EQUAL, len(values) - i, 0, value) for i, value in enumerate(values)]
        filtered += when(numbers[column], argument, [*tests, (RETURN, 0, 0, REFUSE | error)])
    namespaces = [(IF_ANY, 0, 1, NEW_NAMESPACE), (RETURN, 0, 0, REFUSE | errno.EPERM)]
    files = [
        (IF_ANY, 0, 2, THREAD),
        (IF_ANY, 1, 0, OWN_FILES),
        (RETURN, 0, 0, REFUSE | errno.EINVAL),
    ]
    return [*filtered, *when(CLONE[column], 0, [*namespaces, *files]), (RETURN, 0, 0, ALLOW)]


def when(number: int, argument: int, tests: list[Instruction]) -> list[Instruction]:
    """Tests of one argument of one call, of which the kernel reads 32 bits; the call is allowed
    where they come to an end.
    """
    body = [(LOAD, 0, 0, ARGUMENTS + 8 * argument), *tests, (RETURN, 0, 0, ALLOW)]
    return [(IF_EQUAL, 0, len(body), number), *body]


def refuse_calls() -> None:
    """From here on this process, and all that it starts, is refused these calls, and has a keyring
    of its own.

    Raises OSError where the kernel has no filters. Does nothing on other systems and machines than
    Linux on x86-64 and 64-bit ARM.
    """
    if sys.platform != "linux" or platform.machine() not in MACHINES:
        return
    _, column = MACHINES[platform.machine()]
    code = b"".join(
        struct.pack("=HBBI", *instruction) for instruction in program(platform.machine())
    )
    buffer = ctypes.create_string_buffer(code)
    filters = struct.pack("@HP", len(code) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    join_session_keyring, no_new_privileges, whole_process, mode_filter = 1, 38, 1, 1
    libc.syscall(
        REFUSED["keyctl"][column], join_session_keyring, None
    )  # may fail, where keys are refused already
    if libc.prctl(no_new_privileges, 1, 0, 0, 0) or libc.syscall(
        REFUSED["seccomp"][column], mode_filter, whole_process, filters
    ):
        raise OSError(
            ctypes.get_errno(),
            f"the kernel should take a filter of system calls: {os.strerror(ctypes.get_errno())}",
        )
