#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# `sudo make` in somebody's tree leaves nothing of root's in build/.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
if [ "$(id -u)" != 0 ]; then
	echo "SKIP: needs root, to build in the tree of another user"
	exit 77
fi
tmp=$(mktemp -d "${TMPDIR:-/tmp}/dawn-owner.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
chmod 755 "$tmp"
mkdir "$tmp/tree"
git ls-files -z | xargs -0 cp -a --parents -t "$tmp/tree"
chown -R nobody:nogroup "$tmp/tree"

check() { # TEXT COMMAND...
	local text=$1
	shift
	if "$@"; then echo "ok $text"; else echo "not ok $text"; fi
}
build() {
	env -u BUILD -u MAKEFLAGS -u MAKELEVEL make -C "$tmp/tree" \
		build/dawn_xdp.bpf.o build/obj/user/io/xdp_load_skel.o \
		>"$tmp/log" 2>&1 || {
		cat "$tmp/log"
		return 1
	}
}
of_root() { find "$tmp/tree" -user root -print; }

check "root builds in another's tree" build
check "the BPF object is there" [ -s "$tmp/tree/build/dawn_xdp.bpf.o" ]
check "nothing in it is root's" [ -z "$(of_root)" ]
# What an elevated run left there before is given back.
touch "$tmp/tree/build/left"
check "root builds again" build
check "still nothing is root's" [ -z "$(of_root)" ]
