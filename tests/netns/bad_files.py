#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Change a file while it is hammered through XDP; nobody may see what stood in
it longer than 100 ms ago.

usage: bad_files.py HOST ROOT HOW CHANGES FLOWS PID

HOW: rename (a new file over it), write (in place, one call), truncate (to
nothing, then anew), grow (appended to), delete (and made anew), chmod (mode 0
and back), dir (its directory renamed away and back with another file in it).
FLOWS connections ask all the time. Each version's body is a number repeated,
so that a mix of two shows. An answer is judged by when its request was sent:
100 ms after a change was complete, it must be the new state. While a change is
under way anything of before or after will do, but rename, delete, chmod and dir
never show a mix. Between two changes the file becomes hot again (asked for
PAUSE_S, so that it is promoted).
Time in which the machine was late, not the daemon (PID), does not count.
Prints `answers=N stale=N torn=N failed=N worst_ms=N machine_ms=N`: how long an
old state was seen at the most, and how late the machine was in all; exit 1 if
one of stale, torn, failed is not 0."""
import os
import sys
import threading
import time

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "lib"))
import httpc  # noqa: E402
import lateness  # noqa: E402

PAUSE_S = 0.15
LATE_S = 0.100
UNITS = 150  # of 8 bytes

history = []  # (time when complete, state before it; what may be seen)
late = {}  # time when complete -> (latest answer that was old by then, text)
late_then = {}  # time when complete -> how late the machine was until then
changing = [0.0]  # since when a change is under way, 0: none
lock = threading.Lock()
bad = {"stale": 0, "torn": 0, "failed": 0}
answers = [0]
worst = [0.0]
machine = [None]
shown = []
stop = threading.Event()


def body(version, units=UNITS):
    return b"%07d\n" % version * units


def state_of(answer):
    """What an answer shows: ("v", number, units), ("s", status), "torn"."""
    if answer.status != 200:
        return ("s", answer.status)
    if not answer.body:
        return ("v", -1, 0)
    units = {answer.body[i:i + 8] for i in range(0, len(answer.body), 8)}
    if len(units) != 1 or len(answer.body) % 8:
        return "torn"
    return ("v", int(units.pop()), len(answer.body) // 8)


def complain(kind, text):
    with lock:
        bad[kind] += 1
        if len(shown) < 10:
            shown.append("%s: %s" % (kind, text))


def judge(sent, got, torn_ok):
    """`got` was asked for at `sent`."""
    log = list(history)
    under_way = changing[0]
    now_state = log[-1][1]
    if got == "torn":
        recent = under_way and sent < under_way + 60 or \
            sent < log[-1][0] + LATE_S
        if not (torn_ok and recent):
            complain("torn", "in an answer")
        return
    # The newest state complete at sent - 0, and all that came later.
    at = 0
    for i, (done, _) in enumerate(log):
        if done + LATE_S <= sent:
            at = i
    if any(got == s for _, s in log[at:]):
        if got != now_state and len(log) > 1:
            worst[0] = max(worst[0], sent - log[-1][0])
        if late:
            settle(sent)
        return
    if under_way or len(history) != len(log) or torn_ok and \
            sent < log[-1][0] + LATE_S:
        return  # what a half-made change shows
    with lock:
        late[log[at][0]] = (sent, "%s, but for %.0f ms it is %s" %
                            (got, (sent - log[at][0]) * 1000, now_state))


def ask(host, target, torn_ok):
    conn = httpc.Connection(host)
    while not stop.is_set():
        sent = time.monotonic()
        try:
            answer = conn.request("GET", target)
        except httpc.Closed as e:
            if not torn_ok:
                complain("failed", str(e))
            conn = httpc.Connection(host)
            continue
        judge(sent, state_of(answer), torn_ok)
        answers[0] += 1


def write_new(path, data):
    with open(path + ".new", "wb") as f:
        f.write(data)
    os.rename(path + ".new", path)


def begin():
    changing[0] = time.monotonic()


def done(state):
    before = machine[0].seconds()
    now = time.monotonic()
    late_then[now] = before
    history.append((now, state))
    changing[0] = 0.0


def settle(sent):
    """What was asked for at `sent` is new. Was the old state seen too long?"""
    with lock:
        over = {t: late.pop(t) for t in list(late) if late[t][0] < sent}
    for t, (last, text) in over.items():
        if last > t + LATE_S + machine[0].seconds() - late_then[t]:
            complain("stale", text)


def change(how, path, version):
    new = ("v", version, UNITS)
    if how == "rename":
        with open(path + ".new", "wb") as f:
            f.write(body(version))
        begin()
        os.rename(path + ".new", path)
        done(new)
    elif how == "write":
        fd = os.open(path, os.O_WRONLY)
        begin()
        os.pwrite(fd, body(version), 0)
        done(new)
        os.close(fd)
    elif how == "truncate":
        begin()
        os.truncate(path, 0)
        done(("v", -1, 0))
        time.sleep(PAUSE_S)
        begin()
        fd = os.open(path, os.O_WRONLY)
        os.pwrite(fd, body(version), 0)
        os.close(fd)
        done(new)
    elif how == "grow":
        begin()
        with open(path, "ab", 0) as f:
            f.write(body(0, 1))
        done(("v", 0, UNITS + version))
    elif how == "delete":
        begin()
        os.unlink(path)
        done(("s", 404))
        time.sleep(PAUSE_S)
        begin()
        write_new(path, body(version))
        done(new)
    elif how == "chmod":
        begin()
        os.chmod(path, 0)
        done(("s", 403) if os.geteuid() else history[-1][1])
        time.sleep(PAUSE_S)
        begin()
        os.chmod(path, 0o644)
        done(new)
    elif how == "dir":
        where = os.path.dirname(path)
        other = where + ".old"
        begin()
        os.rename(where, other)
        done(("s", 404))
        time.sleep(PAUSE_S)
        write_new(os.path.join(other, os.path.basename(path)), body(version))
        begin()
        os.rename(other, where)
        done(new)
    else:
        sys.exit(__doc__)


def main():
    host, root, how, changes, flows, pid = sys.argv[1:7]
    machine[0] = lateness.Lateness(pid)
    path = os.path.join(root, "moving", "file")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    write_new(path, body(0))
    torn_ok = how in ("write", "truncate", "grow")
    late_before = machine[0].seconds()
    done(("v", 0, UNITS))
    threads = [threading.Thread(target=ask, daemon=True,
                                args=(host, "/moving/file", torn_ok))
               for _ in range(int(flows))]
    for t in threads:
        t.start()
    for version in range(1, int(changes) + 1):
        time.sleep(PAUSE_S)
        change(how, path, version if how != "chmod" else 0)
    time.sleep(PAUSE_S * 2)
    stop.set()
    for t in threads:
        t.join(30)
    settle(time.monotonic())
    for line in shown:
        print(line)
    print("answers=%d stale=%d torn=%d failed=%d worst_ms=%.1f machine_ms=%.1f"
          % (answers[0], bad["stale"], bad["torn"], bad["failed"],
             worst[0] * 1000, (machine[0].seconds() - late_before) * 1000))
    sys.exit(any(bad.values()) or answers[0] < 100)


main()
