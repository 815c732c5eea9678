#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Run a command as root, with the variables that our scripts read.
#
# usage: as_root.sh COMMAND [ARGUMENT...]
set -euo pipefail
[ "$(id -u)" = 0 ] && exec "$@"
if ! command -v sudo >/dev/null; then
	echo "dawn: this needs root, and there is no sudo: run it as root: $*" >&2
	exit 1
fi
keep=("PATH=$PATH")
for v in BUILD KEEP CI JOBS V SOAK_S; do
	[ -z "${!v:-}" ] || keep+=("$v=${!v}")
done
exec sudo env "${keep[@]}" "$@"
