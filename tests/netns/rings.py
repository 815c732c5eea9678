#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""rings.py PID: the AF_XDP rings of a process, looked at from outside. A line
for each socket's ring: name, entries that wait in it. The kernel's layout (struct
xdp_ring in net/xdp/xsk_queue.h): producer, a line of padding, consumer."""
import struct
import sys

# Offsets by which a process maps them, linux/if_xdp.h.
NAMES = {0: "rx", 0x80000000: "tx", 0x100000000: "fill", 0x180000000: "completion"}
APART = 128  # two cache lines of 64 bytes


def main(pid):
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as mem:
        for line in maps:
            field = line.split()
            if len(field) < 6 or not field[5].startswith("socket:"):
                continue
            mem.seek(int(field[0].split("-")[0], 16))
            head = mem.read(2 * APART)
            producer, consumer = (struct.unpack_from("I", head, at)[0]
                                  for at in (0, APART))
            print(NAMES[int(field[2], 16)], (producer - consumer) % 2**32)


main(int(sys.argv[1]))
