# SPDX-License-Identifier: BSD-3-Clause
# confine.py - become a program that may make certain system calls only, as systemd has it: those of
# SystemCallFilter=, sockets of RestrictAddressFamilies=, no memory to write and execute
# usage: confine.py RULES PROGRAM [ARGS]      RULES: JSON, {calls, families, no_write_execute, umask}
import errno
import json
import os
import socket
import sys

import seccomp

EXECUTE, WRITE = 4, 2
AF_XDP = 44


def allow(f, call, rules):
    if call == "socket":
        for family in rules["families"]:
            number = AF_XDP if family == "AF_XDP" else getattr(socket, family)
            f.add_rule(seccomp.ALLOW, call, seccomp.Arg(0, seccomp.EQ, number))
    elif call == "mmap" and rules["no_write_execute"]:
        for bit in EXECUTE, WRITE:
            f.add_rule(seccomp.ALLOW, call, seccomp.Arg(2, seccomp.MASKED_EQ, bit, 0))
    elif call in ("mprotect", "pkey_mprotect") and rules["no_write_execute"]:
        f.add_rule(seccomp.ALLOW, call, seccomp.Arg(2, seccomp.MASKED_EQ, EXECUTE, 0))
    else:
        f.add_rule(seccomp.ALLOW, call)


def known(call):
    """systemd's lists have calls of all machines and times."""
    try:
        return seccomp.resolve_syscall(seccomp.Arch(), call) >= 0
    except (RuntimeError, ValueError):
        return False


rules, program = json.loads(sys.argv[1]), sys.argv[2:]
f = seccomp.SyscallFilter(seccomp.ERRNO(errno.EPERM))
for call in filter(known, rules["calls"]):
    allow(f, call, rules)
f.load()
os.umask(int(rules["umask"], 8))
os.execv(program[0], program)
