# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# What tests of the guest share.
check() { # TEXT COMMAND...
	text=$1
	shift
	if "$@"; then echo "ok $text"; else echo "not ok $text"; fi
}
in_cli() { nsenter --net=/run/netns/cli "$@"; }
counter() {
	dawn stats --dev dawn0 --json | tr -d ' \n' |
		sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p"
}
