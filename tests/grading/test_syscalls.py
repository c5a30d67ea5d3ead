"""Every system call of the kernel: refused to a submission, bounded, or harmless, and why. What is refused fails in the box.

Three things count: whether a call reaches another process, what the kernel keeps for all, or memory that no limit counts.
The refused ones stand, by what they reach, in gencourse/grading/sandbox/inside/seccomp.py; all others stand here with the reason.
"""

import errno
import platform
import time

import pytest

from gencourse.grading.sandbox.backends import Sandbox
from gencourse.grading.sandbox.inside import seccomp
from gencourse.grading.sandbox.limits import Limits
from gencourse.grading.sandbox.worker_process import WorkerProcess

CALLS = """
read write open close stat fstat lstat poll lseek mmap mprotect munmap brk rt_sigaction rt_sigprocmask rt_sigreturn ioctl pread64 pwrite64
readv writev access pipe select sched_yield mremap msync mincore madvise shmget shmat shmctl dup dup2 pause nanosleep getitimer alarm
setitimer getpid sendfile socket connect accept sendto recvfrom sendmsg recvmsg shutdown bind listen getsockname getpeername socketpair
setsockopt getsockopt clone fork vfork execve exit wait4 kill uname semget semop semctl shmdt msgget msgsnd msgrcv msgctl fcntl flock fsync
fdatasync truncate ftruncate getdents getcwd chdir fchdir rename mkdir rmdir creat link unlink symlink readlink chmod fchmod chown fchown
lchown umask gettimeofday getrlimit getrusage sysinfo times ptrace getuid syslog getgid setuid setgid geteuid getegid setpgid getppid
getpgrp setsid setreuid setregid getgroups setgroups setresuid getresuid setresgid getresgid getpgid setfsuid setfsgid getsid capget capset
rt_sigpending rt_sigtimedwait rt_sigqueueinfo rt_sigsuspend sigaltstack utime mknod uselib personality ustat statfs fstatfs sysfs
getpriority setpriority sched_setparam sched_getparam sched_setscheduler sched_getscheduler sched_get_priority_max sched_get_priority_min
sched_rr_get_interval mlock munlock mlockall munlockall vhangup modify_ldt pivot_root _sysctl prctl arch_prctl adjtimex setrlimit chroot
sync acct settimeofday mount umount2 swapon swapoff reboot sethostname setdomainname iopl ioperm create_module init_module delete_module
get_kernel_syms query_module quotactl nfsservctl getpmsg putpmsg afs_syscall tuxcall security gettid readahead setxattr lsetxattr fsetxattr
getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr removexattr lremovexattr fremovexattr tkill time futex sched_setaffinity
sched_getaffinity set_thread_area io_setup io_destroy io_getevents io_submit io_cancel get_thread_area lookup_dcookie epoll_create
epoll_ctl_old epoll_wait_old remap_file_pages getdents64 set_tid_address restart_syscall semtimedop fadvise64 timer_create timer_settime
timer_gettime timer_getoverrun timer_delete clock_settime clock_gettime clock_getres clock_nanosleep exit_group epoll_wait epoll_ctl tgkill
utimes vserver mbind set_mempolicy get_mempolicy mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr kexec_load waitid
add_key request_key keyctl ioprio_set ioprio_get inotify_init inotify_add_watch inotify_rm_watch migrate_pages openat mkdirat mknodat
fchownat futimesat newfstatat unlinkat renameat linkat symlinkat readlinkat fchmodat faccessat pselect6 ppoll unshare set_robust_list
get_robust_list splice tee sync_file_range vmsplice move_pages utimensat epoll_pwait signalfd timerfd_create eventfd fallocate
timerfd_settime timerfd_gettime accept4 signalfd4 eventfd2 epoll_create1 dup3 pipe2 inotify_init1 preadv pwritev rt_tgsigqueueinfo
perf_event_open recvmmsg fanotify_init fanotify_mark prlimit64 name_to_handle_at open_by_handle_at clock_adjtime syncfs sendmmsg setns
getcpu process_vm_readv process_vm_writev kcmp finit_module sched_setattr sched_getattr renameat2 seccomp getrandom memfd_create
kexec_file_load bpf execveat userfaultfd membarrier mlock2 copy_file_range preadv2 pwritev2 pkey_mprotect pkey_alloc pkey_free statx
io_pgetevents rseq
"""  # of x86-64, 0 to 334; 335 and 336 are for the kernel's own trampolines
NEWER = """
pidfd_send_signal io_uring_setup io_uring_enter io_uring_register open_tree move_mount fsopen fsconfig fsmount fspick pidfd_open clone3
close_range openat2 pidfd_getfd faccessat2 process_madvise epoll_pwait2 mount_setattr quotactl_fd landlock_create_ruleset landlock_add_rule
landlock_restrict_self memfd_secret process_mrelease futex_waitv set_mempolicy_home_node cachestat fchmodat2 map_shadow_stack futex_wake
futex_wait futex_requeue statmount listmount lsm_get_self_attr lsm_set_self_attr lsm_list_modules mseal setxattrat getxattrat listxattrat
removexattrat open_tree_attr file_getattr file_setattr
"""  # 424 to the last, on every machine
NOT_REFUSED = {
    "harmless because kernels of today have no such call any more": """
        _sysctl create_module get_kernel_syms query_module nfsservctl getpmsg putpmsg afs_syscall tuxcall security uselib epoll_ctl_old
        epoll_wait_old vserver lookup_dcookie get_thread_area set_thread_area
    """,
    "harmless because it is about the calling process alone, and takes no memory": """
        sched_yield pause nanosleep getitimer alarm setitimer getpid exit exit_group getuid getgid geteuid getegid getppid getpgrp getpgid
        getsid getgroups getresuid getresgid uname getrusage sysinfo times umask gettid time gettimeofday clock_gettime clock_getres
        clock_nanosleep getcpu set_tid_address restart_syscall set_robust_list rseq personality arch_prctl getrandom membarrier rt_sigaction
        rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend sigaltstack capget capset setuid setgid setreuid setregid
        setresuid setresgid setfsuid setfsgid setgroups setsid getrlimit setrlimit prlimit64
    """,
    "harmless because it is about files that the box can see, which are read-only or in its three folders, where they are counted": """
        sysfs ustat read write open close stat fstat lstat lseek pread64 pwrite64 readv writev access fsync fdatasync truncate ftruncate
        getdents getcwd chdir fchdir rename mkdir rmdir creat link unlink symlink readlink chmod fchmod chown fchown lchown utime mknod
        statfs fstatfs sync syncfs readahead getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr removexattr lremovexattr
        fremovexattr getdents64 fadvise64 utimes openat mkdirat mknodat fchownat futimesat newfstatat unlinkat renameat linkat symlinkat
        readlinkat fchmodat faccessat sync_file_range utimensat fallocate preadv pwritev renameat2 copy_file_range preadv2 pwritev2 statx
        openat2 faccessat2 fchmodat2 cachestat statmount listmount getxattrat listxattrat removexattrat file_getattr file_setattr
    """,
    "harmless because it reaches processes of the same namespace only, all of them the submission's own but the first, which takes no signals from inside and gives up none of its rights": """
        kill tkill tgkill rt_sigqueueinfo rt_tgsigqueueinfo pidfd_open pidfd_send_signal wait4 waitid setpgid getpriority setpriority
        sched_setparam sched_getparam sched_setscheduler sched_getscheduler sched_get_priority_max sched_get_priority_min
        sched_rr_get_interval sched_setaffinity sched_getaffinity sched_setattr sched_getattr ioprio_set ioprio_get
        lsm_get_self_attr lsm_list_modules
    """,
    "bounded because the memory is counted as that of the process, and so are its page tables and the pieces of its map; RLIMIT_DATA and RLIMIT_AS bound it": """
        mmap remap_file_pages mprotect munmap brk mremap msync mincore madvise mlock munlock mlockall munlockall mlock2 pkey_mprotect
        pkey_alloc pkey_free set_mempolicy get_mempolicy mbind set_mempolicy_home_node map_shadow_stack mseal
    """,
    "bounded because RLIMIT_NPROC and the watch bound how many there are; clone makes no namespaces, and no thread that hides its descriptors": """
        clone fork vfork execve execveat
    """,
    "bounded because RLIMIT_NOFILE bounds how many there are, and each is counted as if it were a full pipe": """
        pipe pipe2 dup dup2 dup3 ioctl fcntl poll select pselect6 ppoll eventfd eventfd2 signalfd signalfd4 timerfd_create timerfd_settime
        timerfd_gettime close_range
    """,
    "bounded because sockets are of one family, AF_UNIX, and in a network of the box's own; each is counted as if it were full, the ones on their way or waiting as well, and their buffers cannot be made larger": """
        socket socketpair bind connect listen accept accept4 sendto recvfrom sendmsg recvmsg sendmmsg recvmmsg shutdown getsockname
        getpeername setsockopt getsockopt
    """,
    "bounded because locks on files are counted": """
        flock
    """,
    "bounded because RLIMIT_SIGPENDING bounds how many there are": """
        timer_create timer_settime timer_gettime timer_getoverrun timer_delete
    """,
    "harmless because it keeps nothing for a thread that does not wait": """
        futex futex_waitv futex_wake futex_wait futex_requeue
    """,
    "harmless because a list of harmless options is allowed, all of them about oneself": """
        prctl
    """,
    "harmless because it works on what a refused call would have made": """
        epoll_wait epoll_ctl epoll_pwait epoll_pwait2 inotify_add_watch inotify_rm_watch fanotify_mark mq_timedsend mq_timedreceive
        mq_notify mq_getsetattr io_destroy io_getevents io_submit io_cancel io_pgetevents uretprobe uprobe
    """,
}
NUMBERS = {
    **{name: number for number, name in enumerate(CALLS.split())},
    **{name: number for number, name in enumerate(NEWER.split(), 424)},
}
NUMBERS |= {"uretprobe": 335, "uprobe": 336}
X86_64, ARM = 0, 1


def test_every_call_is_judged_once():
    judged = [*seccomp.REFUSED, *(name for names in NOT_REFUSED.values() for name in names.split())]
    assert sorted(judged) == sorted(NUMBERS) and len(set(judged)) == len(judged)
    assert max(NUMBERS.values()) == seccomp.NEWEST


def test_numbers_are_those_of_the_kernel():
    """Of x86-64; from 424 on they are the same everywhere."""
    listed = {name: numbers for name, (*numbers,) in seccomp.REFUSED.items()}
    listed |= {name: list(numbers) for name, (numbers, *_) in seccomp.ALLOWED.items()} | {
        "clone": list(seccomp.CLONE)
    }
    assert {name: NUMBERS[name] for name in listed} == {
        name: numbers[X86_64] for name, numbers in listed.items()
    }
    assert all(
        numbers[ARM] == number
        for name, numbers in listed.items()
        if (number := numbers[X86_64]) >= 424
    )
    arm = [numbers[ARM] for numbers in listed.values() if numbers[ARM] is not None]
    assert len(set(arm)) == len(arm)


def verdict(name: str, machine: int, number: int, arguments: tuple[int, ...] = ()) -> int:
    """What the kernel would answer, an errno or 0: the filter, read instruction by instruction."""
    seen = {
        seccomp.NUMBER: number,
        seccomp.MACHINE: machine,
        **{seccomp.ARGUMENTS + 8 * i: value for i, value in enumerate(arguments)},
    }
    instructions, at, value = seccomp.program(name), 0, 0
    assert len(instructions) <= 4096
    while True:
        code, yes, no, k = instructions[at]
        if code == seccomp.RETURN:
            return 0 if k == seccomp.ALLOW else k - seccomp.REFUSE
        true = {
            seccomp.IF_EQUAL: value == k,
            seccomp.IF_AT_LEAST: value >= k,
            seccomp.IF_ANY: bool(value & k),
            seccomp.LOAD: False,
        }[code]
        value = seen.get(k, 0) if code == seccomp.LOAD else value
        at += 1 + (yes if true else no)


@pytest.mark.parametrize("name", seccomp.MACHINES)
def test_filter_refuses_what_is_listed_and_nothing_else(name):
    machine, column = seccomp.MACHINES[name]
    numbers = {numbers[column]: call for call, numbers in seccomp.REFUSED.items()}
    by_argument = {
        numbers[column]: (argument, values, error)
        for numbers, argument, values, error in seccomp.ALLOWED.values()
    }
    for number in range(700):
        if number in by_argument:
            argument, values, error = by_argument[number]
            for value in range(1100):
                assert verdict(name, machine, number, (0,) * argument + (value,)) == (
                    0 if value in values else error
                ), (number, value)
        elif number in numbers or number > seccomp.NEWEST:
            assert verdict(name, machine, number) == (
                errno.ENOTSUP if "xattr" in numbers.get(number, "") else errno.ENOSYS
            ), number
        else:
            assert verdict(name, machine, number) == 0, number
    assert verdict(name, 0x40000003, 5) == errno.ENOSYS, "32-bit calls have other numbers"
    assert verdict(name, machine, 0x40000000 + 5) == errno.ENOSYS, "so has x32"


@pytest.mark.parametrize("name", seccomp.MACHINES)
def test_filter_allows_threads_and_forks_but_no_namespaces(name):
    machine, column = seccomp.MACHINES[name]
    fork, thread, user, hiding = 0x01200011, 0x003D0F00, 0x10000011, 0x003D0F00 & ~seccomp.OWN_FILES
    answers = [
        verdict(name, machine, seccomp.CLONE[column], (flags,))
        for flags in (fork, thread, user, hiding)
    ]
    assert answers == [0, 0, errno.EPERM, errno.EINVAL]


IN_THE_BOX = """
import ctypes, mmap, os, platform, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)

def error(number, *arguments):
    ctypes.set_errno(0)
    return ctypes.get_errno() if libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments)) == -1 else 0

got = {name: error(number, *[-1] * 6) for name, number in REFUSED.items()}
got |= {f"new {number}": error(number) for number in range(NEWEST + 1, NEWEST + 40)}
got |= {f"argument of {name}": error(number, *[0] * place, 12345) for name, (number, place) in ALLOWED.items()}
asked = f"import ctypes; libc = ctypes.CDLL(None, use_errno=True); libc.syscall({REFUSED['ptrace']}, 0); print(ctypes.get_errno())"
got["in a program of its own"] = int(subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True).stdout)
if platform.machine() == "x86_64":
    got |= {f"x32 {name}": error(number + 0x40000000, *[-1] * 6) for name, number in REFUSED.items()}
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    for name, number in {"ptrace": 26, "keyctl": 288, "shmget": 395, "ipc": 117, "socketcall": 102, "getpid": 20}.items():
        page[:9] = b"\\xb8" + number.to_bytes(4, "little") + b"\\xcd\\x80\\xc3\\x90"  # mov eax, number; int 0x80; ret
        call = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
        got[f"i386 {name}"] = -call()
"""


def test_what_is_refused_fails_in_the_box(bubblewrap):
    if platform.machine() not in seccomp.MACHINES:
        pytest.skip("no filter for this machine")
    _, column = seccomp.MACHINES[platform.machine()]
    numbers = {
        name: pair[column] for name, pair in seccomp.REFUSED.items() if pair[column] is not None
    }
    allowed = {
        name: (pair[column], argument) for name, (pair, argument, _, _) in seccomp.ALLOWED.items()
    }
    limits = Limits()
    with WorkerProcess(Sandbox("bubblewrap"), limits, time.monotonic() + limits.total_s) as box:
        box.request({"do": "open", "checks": [], "withheld": [], "probes": []}, limits.total_s)
        given = f"REFUSED, ALLOWED, NEWEST = {numbers}, {allowed}, {seccomp.NEWEST}\n"
        assert (
            box.request({"do": "cell", "source": given + IN_THE_BOX}, limits.cell_s)["error"]
            is None
        )
        errors = box.request({"do": "look", "name": "got"}, limits.ask_s)["value"]
    expected = {
        name: errno.ENOTSUP if name in seccomp.NO_ATTRIBUTES else errno.ENOSYS for name in errors
    }
    expected |= {f"argument of {name}": error for name, (*_, error) in seccomp.ALLOWED.items()}
    assert errors == expected
