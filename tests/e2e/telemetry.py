#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# telemetry.py - ask DPDK's telemetry socket: telemetry.py SOCKET COMMAND... prints JSON lines
import json
import socket
import sys

s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect(sys.argv[1])
s.recv(1024)  # the greeting
for command in sys.argv[2:]:
    s.send(command.encode())
    print(json.dumps(next(iter(json.loads(s.recv(65536)).values()))))
