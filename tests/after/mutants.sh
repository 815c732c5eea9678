#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# The first twenty of the mutants that `make mutants` tries, a short form.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

out=$(tests/mutants/run.sh -n 20 -s 1 --min 95)
rc=$?
printf '%s\n' "$out"
read -r killed survived < <(sed -nE \
	's/^([0-9]+) killed, ([0-9]+) survived$/\1 \2/p' <<<"$out")
echo "${killed:-0} passed, ${survived:-1} failed"
exit "$rc"
