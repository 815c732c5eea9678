#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Texts of all messages that C files can print on stderr, one a line.

usage: messages.py FILE.c...

A message is the format of a call to one of FUNCTIONS: adjacent literals are
joined; a macro between them and every conversion becomes "...". If the format
says next to nothing ("%s: %s"), the call's other literals are the messages: the
branches of a "? :". messages.py knows no C beyond that.

usage: messages.py --manual PAGE...

The same from manual pages: the tags (.TP or .TQ, then .B) of DIAGNOSTICS, and
an error if one stands twice or has no text below it.
"""
import re
import sys

FUNCTIONS = {
    "dawn_cli_fail", "dawn_cli_usage", "dawn_cli_warn", "dawn_error_set",
    "usage_error", "fail", "fprintf", "snprintf", "fputs",
}
# What these write to says whether it is a message.
NEEDS = {"fprintf": "stderr", "snprintf": r"[ed]->(text|why)", "fputs": "stderr"}

TOKEN = re.compile(
    r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\''
    r"|[A-Za-z_][A-Za-z_0-9]*(?:->[A-Za-z_0-9]+)*|->|\S",
    re.S,
)
CONVERSION = re.compile(r"%[-+ #0]*[*0-9.]*(?:hh|h|ll|l|z|j|t)?[a-zA-Z]")


def tokens(text):
    text = re.sub(r"^\s*#(?:\\\n|[^\n])*", "", text, flags=re.M)
    for match in TOKEN.finditer(text):
        if not match.group().startswith(("/*", "//")):
            yield match.group()


def plain(literal):
    text = literal.replace("%%", "\0")
    text = CONVERSION.sub("...", text).replace("\0", "%")
    text = re.sub(r'\\[nt]', " ", text).replace('\\"', '"')
    return " ".join(text.split())


def call_arguments(toks, start):
    """Tokens from behind "(" at start to its ")"."""
    depth, i = 1, start + 1
    while i < len(toks) and depth:
        depth += (toks[i] == "(") - (toks[i] == ")")
        i += 1
    return toks[start + 1:i - 1]


def literals(args):
    """Joined string literals of an argument list, in order."""
    out, run = [], ""
    for tok in args + [","]:
        if tok.startswith('"'):
            run += tok[1:-1]
        elif run and re.fullmatch(r"[A-Z][A-Z_0-9]+", tok):
            run += "..."
        else:
            if run:
                out.append(run)
            run = ""
    return out


def messages(path):
    with open(path, encoding="utf-8") as f:
        toks = list(tokens(f.read()))
    for i, tok in enumerate(toks[:-1]):
        if tok not in FUNCTIONS or toks[i + 1] != "(":
            continue
        args = call_arguments(toks, i + 1)
        if not any(re.fullmatch(NEEDS.get(tok, "|.*"), a) for a in args):
            continue
        texts = [plain(text) for text in literals(args)]
        if not texts:
            continue
        if re.search("[a-z]{3}", texts[0].replace("try --help", "")):
            yield texts[0]
        else:
            yield from texts[1:] or texts


def bare(text):
    """Without what stands before and behind every message."""
    text = re.sub(r"^dawnd: ", "", text)
    text = re.sub(r"\.{4,}", "...", text)
    return re.sub(r"(:? ?\.\.\.)+$", "", text)


def manual(path):
    """Tags below DIAGNOSTICS."""
    with open(path, encoding="utf-8") as f:
        lines = f.read().split("\n")
    inside = False
    for i, line in enumerate(lines):
        if line.startswith(".SH"):
            inside = line == ".SH DIAGNOSTICS"
        if not inside or line not in (".TP", ".TQ"):
            continue
        tag = re.sub(r"^\.B ", "", lines[i + 1])
        if lines[i + 2][:3] in (".TP", ".SS", ".SH", ""):
            sys.exit(f"{path}:{i + 1}: nothing said about: {tag}")
        tag = tag.strip('"').replace('""', '"').replace("\\-", "-")
        yield tag.replace("\\(aq", "'").replace("\\(ga", "`")


def main():
    args = sys.argv[1:]
    read = manual if args[:1] == ["--manual"] else messages
    found = []
    for path in args[read is manual:]:
        texts = [bare(text) for text in read(path)]
        found += texts if read is manual else set(texts) - set(found)
    if len(found) != len(set(found)):
        sys.exit("stands twice: " +
                 "; ".join(sorted(t for t in found if found.count(t) > 1)))
    # "...: ..." carries another message.
    print("\n".join(sorted(t for t in found if re.search("[a-z]{3}", t))))


main()
