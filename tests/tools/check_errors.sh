#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# The message texts in the code against DIAGNOSTICS in dawn(8) and dawnd(8):
# each text stands there with an explanation, and none that nobody prints.
set -euo pipefail
cd "$(dirname "$0")/../.."
export LC_ALL=C

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# compare PAGE FILE.c...
compare() {
	local page=$1
	shift
	tests/tools/messages.py "$@" >"$work/code"
	tests/tools/messages.py --manual "$page" >"$work/page"
	if [ "$(wc -l <"$work/code")" -lt 10 ]; then
		echo "check_errors: too few messages found for $page" >&2
		failed=1
	fi
	if ! diff -U0 --label "the code" --label "$page" \
		"$work/code" "$work/page"; then
		failed=1
	fi
	echo "check_errors: $page: $(wc -l <"$work/code") texts"
}

# What both programs print by way of user/io stands in dawn(8).
compare docs/dawn.8 loader/*.c user/io/xdp_load*.c user/io/netif*.c
compare docs/dawnd.8 user/app/*.c user/net/*.c user/io/epoll*.c user/io/udp*.c
exit "$failed"
