#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# make install into a folder, use what is there, make uninstall: nothing stays.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
build=${BUILD:-build}
dest=$(mktemp -d "${TMPDIR:-/tmp}/dawn-install.XXXXXX")
trap 'rm -rf "$dest"' EXIT
prefix=/opt/dawn
root=$dest$prefix

check() { # TEXT COMMAND...
    local text=$1
    shift
    if "$@"; then echo "ok $text"; else echo "not ok $text"; fi
}
run_make() {
    make -s BUILD="$build" DESTDIR="$dest" PREFIX="$prefix" "$@"
}
files() { find "$dest" ! -type d; }
compiles() { # a program of somebody else's, against the installed files only
    cat >"$dest/user.c" <<'END'
#include "maps/stats.h"
#include "user/io/loop.h"
int main(void)
{
	struct dawn_loop *loop;

	if (dawn_loop_create(&loop))
		return 1;
	dawn_loop_destroy(loop);
	return 0;
}
END
    gcc -std=c17 -Wall -Wextra -Werror -D_GNU_SOURCE -I"$root/include/dawn" \
        "$dest/user.c" -o "$dest/user" "$root/lib/libdawn.a" -Wl,--as-needed \
        -lxdp -lbpf -lelf -lz -ljson-c -lpthread && "$dest/user"
}

check "make install" run_make install
for f in bin/dawn sbin/dawnd lib/libdawn.a lib/dawn/dawn_xdp.bpf.o \
    include/dawn/maps/stats.h share/doc/dawn/LICENSE; do
    check "$f" [ -s "$root/$f" ]
done
check "the installed command starts" \
    grep -q '^dawn ' <("$root/bin/dawn" --version)
check "the installed daemon starts" \
    grep -q '^dawnd ' <("$root/sbin/dawnd" --version)
for page in docs/*.[1-8]; do
    [ -e "$page" ] || continue
    check "${page##*/}" [ -s "$root/share/man/man${page##*.}/${page##*/}" ]
done
check "headers and library can be used" compiles
rm -f "$dest"/user*
check "make uninstall" run_make uninstall
check "nothing stays" [ -z "$(files)" ]
