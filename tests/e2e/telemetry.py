#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# telemetry.py - ask DPDK's telemetry socket: telemetry.py SOCKET COMMAND... prints JSON lines
# &COMMAND is asked by a client of its own, which goes away without the answer
import json
import socket
import sys


def connect():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect(sys.argv[1])
    s.recv(1024)  # the greeting
    return s


s = connect()
for command in sys.argv[2:]:
    if command[0] == "&":
        with connect() as other:
            other.send(command[1:].encode())
        continue
    s.send(command.encode())
    print(json.dumps(next(iter(json.loads(s.recv(65536)).values()))))
