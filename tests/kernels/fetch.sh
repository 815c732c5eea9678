#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Get Debian's own 6.1 kernel without installing it.
#
# usage: fetch.sh DIR
# Afterwards DIR/vmlinuz and DIR/modules/ exist. Nothing is done if they do
# already. KERNEL_DEB=FILE takes a linux-image package from there instead.
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin

wanted=6.1.
dir=${1:?usage: fetch.sh DIR}
[ -e "$dir/vmlinuz" ] && exit 0

say() { echo "kernel: $*" >&2; }

# The metapackage linux-image-amd64 names the package we want.
real_package() {
	apt-cache depends linux-image-amd64 2>/dev/null |
		sed -n "s/^ *Depends: \(linux-image-${wanted//./\\.}.*\)/\1/p" |
		head -n 1
}

download() { # to $1/*.deb
	local pkg
	pkg=$(real_package)
	if [ -z "$pkg" ] && [ "$(id -u)" = 0 ]; then
		apt-get update -qq
		pkg=$(real_package)
	fi
	if [ -z "$pkg" ]; then
		say "no linux-image-$wanted* in this machine's package lists;" \
			"set KERNEL_DEB=FILE to use one from elsewhere"
		return 1
	fi
	say "fetching $pkg"
	(cd "$1" && apt-get download -qq "$pkg" 2>"$1/log") && return
	# The lists may be older than the mirror.
	[ "$(id -u)" = 0 ] && apt-get update -qq && pkg=$(real_package) &&
		(cd "$1" && apt-get download -qq "$pkg") && return
	cat "$1/log" >&2
	say "cannot download $pkg"
	return 1
}

mkdir -p "$dir"
tmp=$(mktemp -d "$dir/fetch.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
if [ -n "${KERNEL_DEB:-}" ]; then
	deb=$KERNEL_DEB
else
	download "$tmp"
	deb=$(echo "$tmp"/*.deb)
fi
dpkg-deb --fsys-tarfile "$deb" |
	tar -x -C "$tmp" --wildcards './boot/vmlinuz-*' \
		'./lib/modules/*/kernel/net/*' './lib/modules/*/kernel/drivers/net/*.ko'
rm -rf "$dir/modules"
mv "$tmp"/lib/modules/* "$dir/modules"
mv "$tmp"/boot/vmlinuz-* "$dir/vmlinuz" # last: says that all is there
