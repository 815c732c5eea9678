#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# The Makefile knows what depends on what: `make -W FILE` pretends that a file
# has changed, `-n` prints what would be done about it.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
build=$(realpath -m --relative-base="$PWD" "${BUILD:-build}") # as in the Makefile
all=$build/dawnd # the programs are built before the tests run

would() { # CHANGED FILE
	make -n -s V=1 BUILD="$build" -W "$1" all 2>&1
}
check() { # TEXT CHANGED PATTERN: is among the commands
	grep -q -- "$3" <<<"$(would "$2")" && echo "ok $1" || echo "not ok $1"
}
check_not() {
	grep -q -- "$3" <<<"$(would "$2")" && echo "not ok $1" || echo "ok $1"
}

[ -x "$all" ] || echo "not ok $all is not there"
loader=obj/user/io/xdp_load_skel.o
check_not "nothing to do when nothing has changed" README.md ' -c '
check "a header of maps/ rebuilds the BPF object" maps/config.h \
	"-o $build/dawn_xdp.bpf.o"
check "a header of maps/ rebuilds user code" maps/config.h \
	"-o $build/obj/user/"
check "a header of bpf/ rebuilds the BPF object" bpf/parse.bpf.h \
	"-o $build/dawn_xdp.bpf.o"
check "a new BPF object makes a new skeleton" bpf/parse.bpf.h \
	'gen skeleton'
check "a new skeleton rebuilds its users" bpf/parse.bpf.h "-o $build/$loader"
check "the daemon is linked again" bpf/parse.bpf.h "-o $build/dawnd"
check_not "a header of bpf/ leaves the rest alone" bpf/parse.bpf.h \
	"-o $build/obj/user/io/loop.o"
check "a header of user/ rebuilds its users" user/io/loop.h \
	"-o $build/obj/user/io/loop.o"
check_not "a header of user/ leaves BPF alone" user/io/loop.h bpf.o
