#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# The running kernel's verifier takes the object, and for how much work.
cd "$(dirname "$0")/../.." || exit 1
build=${BUILD:-build}
tests/tools/verifier_stats.sh "$build/dawn_xdp.bpf.o"
