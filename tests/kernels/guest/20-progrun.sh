# SPDX-License-Identifier: MIT OR Apache-2.0
# The bpf_prog_test_run tables, on this kernel.
# shellcheck shell=bash
export BUILD=/obj CMOCKA_MESSAGE_OUTPUT=TAP FILL_CONNS=4000
cd / || exit 1
found=0
for p in /progrun/*; do
	[ -x "$p" ] || continue
	found=$((found + 1))
	"$p" || echo "not ok ${p##*/} left with $?"
done
[ $found != 0 ] || echo "not ok no prog_run table was built"
