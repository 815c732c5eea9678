#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# `make deps`, with stand-ins for apt-get, dpkg-query, apt-cache and id: what it
# installs and when, what it says, and that no package can start a service.
# shellcheck disable=SC2016 # the stand-ins expand their variables themselves
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
tmp=$(mktemp -d "${TMPDIR:-/tmp}/dawn-deps.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
export DAWN_POLICY=$tmp/policy-rc.d DAWN_DEPS_LOCK=$tmp/lock
export STUB=$tmp PATH=$tmp/bin:$PATH
mkdir "$tmp/bin"

stub() { # NAME SCRIPT
	printf '#!/bin/bash\n%s\n' "$2" >"$tmp/bin/$1"
	chmod 755 "$tmp/bin/$1"
}
stub id 'echo "${STUB_UID:-0}"'
stub apt-cache 'exit 0'
stub dpkg-query 'sed "s/^/installed /" "$STUB/installed"'
stub apt-get 'echo "$DEBIAN_FRONTEND $*" >>"$STUB/calls"
case "$*" in
*--print-uris*) echo "'"'http://x/a.deb' a.deb 2500000 SHA256:0"'" ;;
*" install -y "*)
	"$DAWN_POLICY"
	echo "policy $?" >>"$STUB/calls"
	[ -z "${STUB_KILL:-}" ] || kill -TERM "$PPID"
	[ -z "${STUB_FAIL:-}" ] || exit 100 ;;
esac'

check() { # TEXT COMMAND...
	local text=$1
	shift
	if "$@"; then echo "ok $text"; else echo "not ok $text"; fi
}
deps() { # [VARIABLE=VALUE]...: into $tmp/out, exit status into $status
	: >"$tmp/calls"
	env "$@" tests/tools/deps.sh demo >"$tmp/out" 2>&1
	status=$?
}
called() { grep -q -- "$1" "$tmp/calls"; }
said() { grep -q -- "$1" "$tmp/out"; }
all="iproute2 iputils-ping curl ethtool media-types procps util-linux"

tr ' ' '\n' <<<"$all" >"$tmp/installed"
deps
check "nothing missing: succeeds" [ "$status" = 0 ]
check "nothing missing: silent" [ ! -s "$tmp/out" ]
check "nothing missing: offline" [ ! -s "$tmp/calls" ]

grep -v curl <<<"${all// /$'\n'}" >"$tmp/installed"
deps STUB_UID=1000
check "not root: fails" [ "$status" != 0 ]
check "not root: prints the sudo line" said "sudo $PWD/tests/tools/deps.sh demo"
check "not root: calls nothing" [ ! -s "$tmp/calls" ]

echo "# the machine's own" >"$DAWN_POLICY"
deps
check "installs" [ "$status" = 0 ]
check "updates first" grep -q update <(head -n 1 "$tmp/calls")
check "only what is missing" called 'install -y curl$'
check "without recommends" called '--no-install-recommends install -y'
check "without questions" called '^noninteractive .*install -y'
check "says what and how many MB" said 'curl: 3 MB'
check "services are forbidden meanwhile" called '^policy 101$'
check "the machine's policy is back" grep -q 'own' "$DAWN_POLICY"

rm -f "$DAWN_POLICY"
deps STUB_FAIL=1
check "apt-get failed: fails" [ "$status" != 0 ]
check "apt-get failed: no policy left" [ ! -e "$DAWN_POLICY" ]
deps STUB_KILL=1
check "killed: says so" [ "$status" = 143 ]
check "killed: no policy left" [ ! -e "$DAWN_POLICY" ]
