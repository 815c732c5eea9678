#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Say what the build lacks. The Makefile passes CC, BPF_CLANG, BPFTOOL.
set -u
missing=0

lack() {
	echo "dawn: missing: $*" >&2
	missing=1
}

command -v "$CC" >/dev/null || lack "$CC (the C compiler)"
command -v "${BPF_CLANG:-none}" >/dev/null ||
	lack "clang-16 or newer, under a name with its version" \
		"(plain clang is too old in Debian 12)"
command -v "$BPFTOOL" >/dev/null || lack "$BPFTOOL (also looked in /usr/sbin)"

if command -v "$CC" >/dev/null; then
	for header in bpf/libbpf.h xdp/xsk.h json-c/json.h; do
		echo "#include <$header>" | "$CC" -E - >/dev/null 2>&1 ||
			lack "the header $header"
	done
fi
[ "$missing" = 0 ] || echo "dawn: 'make deps' installs what is missing" >&2
exit "$missing"
