# SPDX-License-Identifier: MIT OR Apache-2.0
"""How late the machine was, for tests of something that must happen in time: a
promise of ours holds for a daemon that gets a CPU.

Two clocks that run only while somebody waits. The daemon's: the kernel counts
what its threads spent ready to run without running, when such a wait is over.
And that of a process that wants to wake up every 5 ms: it also shows what the
daemon cannot know, a lock held by somebody without a CPU, or a machine that did
not run at all."""
import mmap
import os
import struct
import time

BEAT_S = 0.005
SLACK_S = 0.005  # as late as this is usual


class Lateness:
    def __init__(self, pid):
        self.pid = pid
        self.shared = mmap.mmap(-1, 16)  # late in all, latest beat
        self._store(0.0, time.monotonic())
        self.child = os.fork()
        if not self.child:
            self._beat(os.getppid())

    def _store(self, total, beat):
        struct.pack_into("d", self.shared, 0, total)
        struct.pack_into("d", self.shared, 8, beat)

    def _beat(self, parent):
        total, last = 0.0, time.monotonic()
        while os.getppid() == parent:
            time.sleep(BEAT_S)
            now = time.monotonic()
            total += max(0.0, now - last - BEAT_S - SLACK_S)
            last = now
            self._store(total, last)
        os._exit(0)

    def _cpu_waits(self):
        total = 0
        for task in os.listdir("/proc/%s/task" % self.pid):
            with open("/proc/%s/task/%s/schedstat" % (self.pid, task)) as f:
                total += int(f.read().split()[1])
        return total / 1e9

    def seconds(self):
        """How late in all, until now: subtract two of them."""
        beaten, beat = struct.unpack("dd", self.shared[:16])
        beaten += max(0.0, time.monotonic() - beat - BEAT_S - SLACK_S)
        return self._cpu_waits() + beaten
