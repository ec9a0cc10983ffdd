"""Numbers of the system calls that a sandboxed process may make, by machine."""

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""The kernel's constant for the machine in a filter's data."""

_X86_64 = {
    "read": 0, "write": 1, "close": 3, "fstat": 5, "poll": 7, "lseek": 8, "mmap": 9, "mprotect": 10, "munmap": 11,
    "brk": 12, "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15, "pread64": 17, "writev": 20, "select": 23,
    "sched_yield": 24, "mremap": 25, "madvise": 28, "nanosleep": 35, "getpid": 39, "exit": 60, "gettimeofday": 96,
    "getrusage": 98, "times": 100, "sigaltstack": 131, "gettid": 186, "time": 201, "futex": 202,
    "sched_getaffinity": 204, "restart_syscall": 219, "clock_gettime": 228, "clock_getres": 229,
    "clock_nanosleep": 230, "exit_group": 231, "getrandom": 318, "rseq": 334,
}  # fmt: skip
_AARCH64 = {
    "close": 57, "lseek": 62, "read": 63, "write": 64, "writev": 66, "pread64": 67, "pselect6": 72, "ppoll": 73,
    "fstat": 80,
    "exit": 93, "exit_group": 94, "futex": 98, "nanosleep": 101, "clock_gettime": 113, "clock_getres": 114,
    "clock_nanosleep": 115, "sched_getaffinity": 123, "sched_yield": 124, "restart_syscall": 128,
    "sigaltstack": 132, "rt_sigaction": 134, "rt_sigprocmask": 135, "rt_sigreturn": 139, "times": 153,
    "getrusage": 165, "gettimeofday": 169, "getpid": 172, "gettid": 178, "brk": 214, "munmap": 215, "mremap": 216,
    "mmap": 222, "mprotect": 226, "madvise": 233, "getrandom": 278, "rseq": 293,
}  # fmt: skip

ALLOWED = {"x86_64": tuple(_X86_64.values()), "aarch64": tuple(_AARCH64.values())}

_X86_64_EXECUTED = {
    "open": 2, "stat": 4, "lstat": 6, "ioctl": 16, "pwrite64": 18, "readv": 19, "access": 21, "pipe": 22, "dup": 32,
    "dup2": 33, "pause": 34, "getitimer": 36, "alarm": 37, "setitimer": 38, "sendfile": 40, "fork": 57, "vfork": 58,
    "execve": 59, "wait4": 61, "uname": 63, "truncate": 76, "ftruncate": 77, "getdents": 78, "getcwd": 79,
    "chdir": 80, "fchdir": 81, "rename": 82, "mkdir": 83, "rmdir": 84, "creat": 85, "unlink": 87, "readlink": 89,
    "umask": 95, "getrlimit": 97, "sysinfo": 99, "getuid": 102, "getgid": 104, "geteuid": 107, "getegid": 108,
    "getppid": 110, "getpgrp": 111, "getgroups": 115, "getpgid": 121, "getsid": 124, "capget": 125,
    "rt_sigpending": 127, "rt_sigtimedwait": 128, "rt_sigsuspend": 130, "statfs": 137, "fstatfs": 138,
    "getpriority": 140, "sched_getparam": 143, "sched_getscheduler": 145, "arch_prctl": 158, "setrlimit": 160,
    "getdents64": 217, "set_tid_address": 218, "fadvise64": 221, "epoll_wait": 232, "epoll_ctl": 233, "waitid": 247,
    "openat": 257, "mkdirat": 258, "newfstatat": 262, "unlinkat": 263, "renameat": 264, "readlinkat": 267,
    "faccessat": 269, "pselect6": 270, "ppoll": 271, "set_robust_list": 273, "epoll_pwait": 281, "eventfd2": 290,
    "epoll_create1": 291, "dup3": 292, "pipe2": 293, "preadv": 295, "pwritev": 296, "renameat2": 316,
    "membarrier": 324, "copy_file_range": 326, "statx": 332, "close_range": 436, "faccessat2": 439,
}  # fmt: skip
_AARCH64_EXECUTED = {
    "getcwd": 17, "eventfd2": 19, "epoll_create1": 20, "epoll_ctl": 21, "epoll_pwait": 22, "dup": 23, "dup3": 24,
    "ioctl": 29, "mkdirat": 34, "unlinkat": 35, "renameat": 38, "statfs": 43, "fstatfs": 44,
    "truncate": 45, "ftruncate": 46, "faccessat": 48, "chdir": 49, "fchdir": 50, "openat": 56, "pipe2": 59,
    "getdents64": 61, "readv": 65, "pwrite64": 68, "preadv": 69, "pwritev": 70, "sendfile": 71, "readlinkat": 78,
    "newfstatat": 79, "capget": 90, "waitid": 95, "set_tid_address": 96, "set_robust_list": 99, "getitimer": 102,
    "setitimer": 103, "sched_getscheduler": 120, "sched_getparam": 121, "rt_sigsuspend": 133, "rt_sigpending": 136,
    "rt_sigtimedwait": 137, "getpriority": 141, "getpgid": 155, "getsid": 156, "getgroups": 158, "uname": 160,
    "getrlimit": 163, "setrlimit": 164, "umask": 166, "getppid": 173, "getuid": 174, "geteuid": 175, "getgid": 176,
    "getegid": 177, "sysinfo": 179, "execve": 221, "fadvise64": 223, "wait4": 260, "renameat2": 276, "membarrier": 283,
    "copy_file_range": 285, "statx": 291, "close_range": 436, "faccessat2": 439,
}  # fmt: skip

ALLOWED_EXECUTED = {
    "x86_64": (*ALLOWED["x86_64"], *_X86_64_EXECUTED.values()),
    "aarch64": (*ALLOWED["aarch64"], *_AARCH64_EXECUTED.values()),
}
"""What a program that is executed may call besides: it loads itself from files, has threads, may start programs."""

CLONE = {"x86_64": 56, "aarch64": 220}
"""Threads and processes; allowed without the flags of :data:`NAMESPACE_FLAGS`."""
CLONE3 = 435
"""Its flags are in memory, where a filter cannot look: it is not there, and libraries take ``clone``."""
NAMESPACE_FLAGS = 0x7E020000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET."""
PRLIMIT = {"x86_64": 302, "aarch64": 261}
"""Allowed for the process itself alone: of others, those of the same user would be open."""
PRCTL = {"x86_64": 157, "aarch64": 167}
NAMES = (15, 16, 0x53564D41)
"""PR_SET_NAME, PR_GET_NAME, PR_SET_VMA: options of ``prctl`` that are allowed."""

FCNTL = {"x86_64": 72, "aarch64": 25}
OWNERS = (8, 10, 15)
"""F_SETOWN, F_SETSIG, F_SETOWN_EX: with them, what comes out of a pipe sends a signal to any process of the user."""

LANDLOCK_CREATE, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT = 444, 445, 446
"""The same on every machine."""

CAPSET = {"x86_64": 126, "aarch64": 91}
