#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Install the Debian packages that are missing for a purpose.
#
# usage: deps.sh PURPOSE...      build, demo, bench, test
#
# Silent and offline when nothing is missing. A package "a|b" is there if a or
# b is; what gets installed is the first that this release has. No package is
# allowed to start a service; the machine's own policy is put back.
set -euo pipefail
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin

declare -A packages
# What `make all` calls or includes.
packages[build]="gcc libc6-dev make clang-16|clang-17|clang-19 bpftool
	libbpf-dev libxdp-dev libelf-dev zlib1g-dev libjson-c-dev"
# What dawn, dawnd and the demo call. media-types: mime.types.
packages[demo]="iproute2 iputils-ping curl ethtool media-types procps
	util-linux"
packages[bench]="wrk nginx-light libssl-dev libcmocka-dev python3"
# Lints; unit tests; namespace tests (libssl: SHA-256 in tests/tools/bulk.c); the
# 6.1 kernel in qemu; .ci/run's clean machine.
packages[test]="clang-format-16 clang-tidy-16 shellcheck
	libcmocka-dev libclang-rt-16-dev libssl-dev
	wrk nginx-light nftables spin tcpdump tshark python3 python3-scapy libcap2-bin
	qemu-system-x86 busybox-static cpio binutils debootstrap"

fail() {
	echo "dawn: $*" >&2
	exit 1
}

wanted=()
for purpose in "$@"; do
	[ -n "${packages[$purpose]:-}" ] || fail "no purpose '$purpose'"
	# shellcheck disable=SC2206 # names without spaces or globs
	wanted+=(${packages[$purpose]})
done
[ $# -gt 0 ] || fail "usage: deps.sh build|demo|bench|test..."

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	# Nothing we can install; the build itself says what it lacks.
	echo "dawn: 'make deps' knows Debian's packages only. On this system" \
		"install what these Debian packages hold: ${wanted[*]}" >&2
	exit 1
fi

installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' |
	sed -n 's/^installed //p' | sort -u)
is_installed() { grep -qxF "$1" <<<"$installed"; }

missing=()
for entry in "${wanted[@]}"; do
	found=
	IFS='|' read -ra names <<<"$entry"
	for name in "${names[@]}"; do
		! is_installed "$name" || found=1
	done
	[ -n "$found" ] || missing+=("$entry")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "dawn: packages are missing: ${missing[*]}" >&2
	echo "dawn: install them with: sudo $(realpath "$0") $*" >&2
	exit 1
fi

# invoke-rc.d and deb-systemd-invoke ask this file whether a package's service
# may start. The machine's own one is put aside meanwhile; a run that was
# killed has its leftovers put right by the next.
policy=${DAWN_POLICY:-/usr/sbin/policy-rc.d} # elsewhere: its test
saved=$policy.before-dawn
mark='# made by dawn deps.sh for the time it runs'
forbid_services() {
	if [ -e "$policy" ] && ! grep -qxF "$mark" "$policy"; then
		mv "$policy" "$saved"
	fi
	printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >"$policy"
	chmod 755 "$policy"
}
allow_services() {
	if [ -e "$policy" ] && grep -qxF "$mark" "$policy"; then
		rm -f "$policy"
	fi
	[ ! -e "$saved" ] || mv "$saved" "$policy"
}
# One at a time, or the second would save the first one's policy.
exec 9>"${DAWN_DEPS_LOCK:-/run/dawn-deps.lock}"
flock 9
log=$(mktemp)
trap 'allow_services; rm -f "$log"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

apt() {
	DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 \
		-o Acquire::Retries=3 -o DPkg::Lock::Timeout=120 \
		--no-install-recommends "$@"
}

echo "dawn: packages are missing: ${missing[*]}"
apt update

install=()
for entry in "${missing[@]}"; do
	choice=
	IFS='|' read -ra names <<<"$entry"
	for name in "${names[@]}"; do
		if [ -z "$choice" ] && apt-cache show "$name" >/dev/null 2>&1; then
			choice=$name
		fi
	done
	[ -n "$choice" ] ||
		fail "this release has no package ${entry//|/ or }; Debian 12 does"
	install+=("$choice")
done

# Lines of --print-uris are: 'URL' FILE BYTES CHECKSUM.
bytes=$(apt install --print-uris "${install[@]}" |
	awk '/^\x27/ { n += $3 } END { print n + 0 }')
echo "dawn: installing ${install[*]}:" \
	"$(((bytes + 999999) / 1000000)) MB to download"

forbid_services
if ! apt install -y "${install[@]}" >"$log" 2>&1; then
	cat "$log" >&2
	fail "apt-get could not install them"
fi
