#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Seeded mutants of the TCP engine against its unit tests; see mutants.py.
# timeout: 600
#
# usage: run.sh [mutants.py's arguments]    default: MUTANTS (50) of SEED (1)
# Needs the unit tests, built: make unit
set -euo pipefail
cd "$(dirname "$0")/../.."

[ $# != 0 ] || set -- -n "${MUTANTS:-50}" -s "${SEED:-1}"
exec python3 tests/mutants/mutants.py "$@"
