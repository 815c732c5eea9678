#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Do the engine's tests notice when the engine is wrong?

Small faults are put into user/net/tcp*.c, one at a time: a comparison flipped,
&& for ||, + for -, a number or sequence number off by one, a condition negated,
a statement dropped. The engine's unit tests must fail for each: the mutant is
killed. One that passes them all survives and shows what no test asks.

usage: mutants.py [-n COUNT] [-s SEED] [-f FILE] [--list] [--min PERCENT]
  COUNT mutants (50; 0: all) in the order that SEED (1) gives. FILE: only of this
  one. The environment's BUILD is a build folder in which the unit tests are
  built; JOBS: mutants tried at once (1).

A mutant is known by its file, function and text, not by a line number; so the
choice changes little when the code around it moves. One that does not compile,
or makes the same object code, does not count, nor does one of equivalent.txt: no
test can kill it, and that file says why. The last line is "N killed, M survived";
exit 1 if fewer than PERCENT (95) are killed."""
import argparse
import concurrent.futures
import glob
import hashlib
import os
import re
import resource
import shlex
import subprocess
import sys
import tempfile
import time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(ROOT, "build")))
CPU_S = 3  # a test takes less than one; a loop that does not end takes more
TIMEOUT_S = 120
MEMORY_MAX = 2 << 30

TOKEN = re.compile(r"""[A-Za-z_]\w*|0[xX][0-9a-fA-F]+[uUlL]*|\d+[uUlL]*|
    <<=|>>=|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|\S""", re.X)
SWAPS = {
    "<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==",
    "&&": "||", "||": "&&", "+=": "-=", "-=": "+=", "++": "--", "--": "++",
    "|=": "=", "true": "false", "false": "true",
    "dawn_seq_lt": "dawn_seq_le", "dawn_seq_le": "dawn_seq_lt",
    "dawn_seq_gt": "dawn_seq_ge", "dawn_seq_ge": "dawn_seq_gt",
    "tcp_min": "tcp_max", "tcp_max": "tcp_min",
    "tcp_seq_min": "tcp_seq_max", "tcp_seq_max": "tcp_seq_min",
    "tcp_min64": "tcp_max64", "tcp_max64": "tcp_min64",
}
SEQUENCES = {
    "snd_una", "snd_nxt", "snd_max", "snd_end", "rcv_nxt", "rcv_adv",
    "rcv_read", "rcv_fin", "rcv_acked", "recover", "snd_wl1", "snd_wl2",
    "rtt_seq", "seq", "ack", "start", "end", "limit", "edge", "una", "pos",
    "len", "wnd", "cwnd", "snd_wnd", "flight", "room",
}
ASSIGNS = {"=", "+=", "-=", "|=", "&=", "++", "--", "<<=", ">>=", "*=", "/="}
KEYWORDS = {"if", "for", "while", "do", "switch", "case", "default", "else",
            "goto", "struct", "const", "static", "enum", "bool", "int",
            "unsigned", "return", "break", "continue", "sizeof", "long"}


class Mutant:
    """Bytes [at, end) of a file become `text`."""

    def __init__(self, path, function, source, at, end, text):
        self.path, self.function = path, function
        self.at, self.end, self.text = at, end, text
        first = source.rfind("\n", 0, at) + 1
        last = source.find("\n", end)
        self.old = " ".join(source[first:last].split())
        self.new = " ".join(
            (source[first:at] + text + source[end:last]).split())
        self.twin = 0  # the same text again in the same function

    def key(self):
        return (os.path.basename(self.path), self.function, self.old, self.new)

    def apply(self, source):
        return source[:self.at] + self.text + source[self.end:]

    def show(self):
        return "%s %s\n  - %s\n  + %s" % self.key()


def blank(source):
    """Comments, strings and directives as spaces."""
    pattern = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\])*"|'
                         r"'(?:\\.|[^'\\])*'|^[ \t]*#(?:\\\n|[^\n])*",
                         re.S | re.M)
    return pattern.sub(
        lambda m: re.sub(r"[^\n]", " ", m.group()), source)


def matching(tokens, i):
    """The index of the parenthesis that closes the one at i."""
    depth = 0
    for j in range(i, len(tokens)):
        depth += {"(": 1, ")": -1}.get(tokens[j][0], 0)
        if not depth:
            return j
    raise ValueError("unbalanced")


def functions(tokens):
    """(name, index of the first token, of the last) of each body."""
    depth, name, start = 0, None, 0
    for i, (tok, _) in enumerate(tokens):
        if tok == "{":
            if not depth:
                start = i
                j = i - 1
                # name ( ... ) {
                if tokens[j][0] == ")":
                    level = 0
                    while True:
                        level += {")": 1, "(": -1}.get(tokens[j][0], 0)
                        if not level:
                            break
                        j -= 1
                    name = tokens[j - 1][0]
                else:
                    name = None
            depth += 1
        elif tok == "}":
            depth -= 1
            if not depth and name:
                yield name, start, i


def statement_end(tokens, i):
    """Index of the ; that ends a statement without a block, or -1."""
    depth = 0
    while True:
        tok = tokens[i][0]
        if tok in "{}":
            return -1
        depth += {"(": 1, ")": -1}.get(tok, 0)
        if tok == ";" and not depth:
            return i
        i += 1


def closes_condition(tokens, i):
    """Does the parenthesis at i close that of an if or a loop?"""
    depth = 0
    while True:
        depth += {")": 1, "(": -1}.get(tokens[i][0], 0)
        if not depth:
            return tokens[i - 1][0] in {"if", "while", "for"}
        i -= 1


def droppable(tokens, i, first):
    """May a statement that begins here be dropped?"""
    tok, before, after = tokens[i][0], tokens[i - 1][0], tokens[i + 1][0]
    if i == first or before not in {"{", "}", ";", ")", "else", ":"}:
        return False
    if before == ")" and not closes_condition(tokens, i - 1):
        return False
    if tok in {"return", "break", "continue"}:
        return before in {")", "else"} or tok == "break"
    if tok in KEYWORDS or not re.match(r"[A-Za-z_]", tok):
        return False
    return not re.match(r"[A-Za-z_*]", after)  # a declaration


def of_token(tokens, i):
    """Replacements for the token at i."""
    tok = tokens[i][0]
    before, after = tokens[i - 1][0], tokens[i + 1][0]
    if tok in SWAPS:
        yield SWAPS[tok]
    if tok in "+-" and (re.match(r"[\w)\]]", before[-1])):
        yield "-" if tok == "+" else "+"
    if re.match(r"\d+[uUlL]*$", tok) and before != "[":
        number = re.match(r"\d+", tok).group()
        yield str(int(number) + 1) + tok[len(number):]
    if tok in SEQUENCES and after not in ASSIGNS and after not in {"(", "->"} \
       and before not in {"uint32_t", "++", "--", "&", "*", "."} - {"."}:
        yield tok + " + 1"
    if tok == "!":
        yield ""


def mutants_of(path):
    with open(path, encoding="utf-8") as f:
        source = f.read()
    code = blank(source)
    tokens = [(m.group(), m.start()) for m in TOKEN.finditer(code)]
    for name, first, last in functions(tokens):
        for i in range(first + 1, last):
            tok, at = tokens[i]
            for text in of_token(tokens, i):
                yield Mutant(path, name, source, at, at + len(tok), text)
            if tok in {"if", "while"} and tokens[i + 1][0] == "(":
                j = matching(tokens, i + 1)
                yield Mutant(path, name, source, tokens[i + 1][1],
                             tokens[j][1] + 1, "(!%s)" % source[
                                 tokens[i + 1][1]:tokens[j][1] + 1])
            if droppable(tokens, i, first + 1):
                j = statement_end(tokens, i)
                if j > 0:
                    yield Mutant(path, name, source, at, tokens[j][1], "")


def everything(only):
    found, seen = [], {}
    for path in sorted(glob.glob("user/net/tcp*.c")):
        if only and os.path.basename(path) != only:
            continue
        for m in mutants_of(path):
            m.twin = seen[m.key()] = seen.get(m.key(), -1) + 1
            found.append(m)
    return found


def check_known(found):
    """Code changes: an entry of equivalent.txt must still be a mutant."""
    gone = set(equivalents()) - {m.key() for m in found}
    for key in gone:
        print("equivalent.txt: no such mutant: %s %s\n  - %s\n  + %s" % key)
    return not gone


def in_order(found, seed):
    def rank(m):
        text = "%s\0%d\0%s" % (seed, m.twin, "\0".join(m.key()))
        return hashlib.sha256(text.encode()).digest()
    return sorted(found, key=rank)


def equivalents():
    """Blocks of: FILE FUNCTION, "  - old", "  + new", reason lines."""
    known, head = {}, None
    path = os.path.join(os.path.dirname(__file__), "equivalent.txt")
    with open(path, encoding="utf-8") as f:
        for line in f:
            line = line.rstrip("\n")
            if line.startswith("#") or not line.strip():
                head = None
            elif line.startswith("  - "):
                old = line[4:]
            elif line.startswith("  + "):
                key = tuple(head) + (old, line[4:])
                known[key] = ""
            elif head is None:
                head = line.split()
            else:
                known[key] += line
    for key, reason in known.items():
        if not reason.strip():
            sys.exit("equivalent.txt: no reason for %s" % (key,))
    return known


class Bench:
    """The engine as a shared object, and the test programs linked to it."""

    def __init__(self, tmp):
        self.tmp = tmp
        with open(os.path.join(BUILD, "cc.flags"), encoding="utf-8") as f:
            self.cc = shlex.split(f.read())
        self.cc += ["-w", "-g0", "-fPIC"]
        self.objects, self.sources, self.took = {}, {}, {}
        self.last = {}  # who killed last, by file and function
        for path in sorted(glob.glob("user/net/tcp*.c")):
            out = os.path.join(tmp, os.path.basename(path) + ".o")
            with open(path, encoding="utf-8") as f:
                self.sources[path] = f.read()
            if not self.compile(self.sources[path], out):
                sys.exit("%s does not compile" % path)
            self.objects[path] = out
        self.link(tmp, self.objects)
        self.tests = [self.program(path) for path in
                      sorted(glob.glob("tests/unit/test_tcp_*.c"))]

    def compile(self, text, out):
        return subprocess.run(
            self.cc + ["-x", "c", "-", "-c", "-o", out], input=text.encode(),
            stderr=subprocess.DEVNULL, check=False).returncode == 0

    def link(self, folder, objects):
        subprocess.run(
            [self.cc[0], "-shared", "-Wl,-soname,libengine.so", "-o",
             os.path.join(folder, "libengine.so")] + list(objects.values()),
            check=True)

    def program(self, path):
        name = os.path.basename(path)[:-2]
        out = os.path.join(self.tmp, name)
        subprocess.run(
            [self.cc[0], os.path.join(BUILD, "obj/tests/unit", name + ".o"),
             os.path.join(self.tmp, "libengine.so"),
             os.path.join(BUILD, "libtest.a"),
             os.path.join(BUILD, "libdawn.a"), "-Wl,--as-needed", "-lcmocka",
             "-lbpf", "-lxdp", "-lelf", "-lz", "-ljson-c", "-lpthread", "-lm",
             "-o", out], check=True)
        return out

    def killer(self, folder, where=None):
        """The test that fails with that engine; None if all pass. First comes
        the one that killed the last mutant there; each ends with its first
        case that fails."""
        env = dict(os.environ, LD_LIBRARY_PATH=folder, DAWN_TEST_SHORT="1",
                   CMOCKA_TEST_ABORT="1")
        likely = self.last.get(where)
        for test in sorted(self.tests, key=lambda test: test != likely):
            start = time.monotonic()
            try:
                done = subprocess.run(
                    [test], env=env, stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL, timeout=TIMEOUT_S, check=False,
                    preexec_fn=limit)
            except subprocess.TimeoutExpired:
                return os.path.basename(test) + " (time)"
            if done.returncode:
                self.last[where] = test
                return os.path.basename(test)
            self.took.setdefault(test, time.monotonic() - start)
        return None

    def rehearse(self):
        """All must pass the engine as it is. Then the quick ones go first.
        Return: who does not."""
        killer = self.killer(self.tmp)
        self.tests.sort(key=lambda test: self.took.get(test, 0))
        return killer

    def trial(self, m):
        """Return: "broken", "same", or who killed it, or None."""
        with tempfile.TemporaryDirectory(dir=self.tmp) as folder:
            out = os.path.join(folder, "mutant.o")
            if not self.compile(m.apply(self.sources[m.path]), out):
                return "broken"
            with open(out, "rb") as a, open(self.objects[m.path], "rb") as b:
                if a.read() == b.read():
                    return "same"
            try:
                self.link(folder, dict(self.objects, **{m.path: out}))
            except subprocess.CalledProcessError:
                return "broken"
            return self.killer(folder, (m.path, m.function))


def limit():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run(bench, candidates, count, jobs):
    """Try them in order until `count` had a chance. Return: killed, survivors."""
    known = equivalents()
    killed, survivors, skipped = 0, [], {"broken": 0, "same": 0, "known": 0}
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        queue = []
        source = iter(candidates)
        while not count or killed + len(survivors) < count:
            while len(queue) < jobs:
                m = next(source, None)
                if m is None:
                    break
                if m.key() in known:
                    skipped["known"] += 1
                    continue
                queue.append((m, pool.submit(bench.trial, m)))
            if not queue:
                break
            m, future = queue.pop(0)
            result = future.result()
            if result in skipped:
                skipped[result] += 1
            elif result:
                killed += 1
            else:
                survivors.append(m)
                print("survived: %s\n" % m.show(), flush=True)
    print("not counted: %(broken)d do not compile, %(same)d make the same code, "
          "%(known)d are listed as equivalent" % skipped)
    return killed, survivors


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-n", type=int, default=50)
    parser.add_argument("-s", default="1")
    parser.add_argument("-f")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--min", type=int, default=95)
    args = parser.parse_args()
    os.chdir(ROOT)
    if not check_known(everything(None)):
        return 1
    candidates = in_order(everything(args.f), args.s)
    if args.list:
        for m in candidates[:args.n or None]:
            print(m.show())
        return 0
    print("%d mutants of %d, seed %s" %
          (args.n or len(candidates), len(candidates), args.s), flush=True)
    with tempfile.TemporaryDirectory(prefix="dawn-mutants.") as tmp:
        bench = Bench(tmp)
        killer = bench.rehearse()
        if killer:
            print("%s fails without a mutant" % killer)
            return 1
        killed, survivors = run(bench, candidates, args.n,
                                int(os.environ.get("JOBS", "1")))
    print("%d killed, %d survived" % (killed, len(survivors)))
    total = killed + len(survivors)
    return 0 if total and killed * 100 >= args.min * total else 1


sys.exit(main())
