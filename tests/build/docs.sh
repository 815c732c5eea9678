#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# What the documents say about counters and messages against the code.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

passed=0 failed=0
for t in tests/tools/check_counters.sh tests/tools/check_errors.sh; do
	if "$t"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
	fi
done
for page in docs/*.8; do
	if out=$(MANROFFSEQ='' groff -man -Tutf8 -ww "$page" 2>&1 >/dev/null) &&
		[ -z "$out" ]; then
		passed=$((passed + 1))
	else
		printf '%s: %s\n' "$page" "$out"
		failed=$((failed + 1))
	fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
