#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Rules of the project's style that no other tool checks: file lengths, SPDX
# lines that fit the folder, includes from the repository's root.
set -euo pipefail
cd "$(dirname "$0")/../.."

bad=0
complain() {
	echo "$*" >&2
	bad=1
}

# The lines a file may have. A map's header holds its whole contract: half of it
# is how the map is shared, or it is a list of counters (stats.h). One map in two
# headers would be harder to read than 200 lines.
limit() {
	case $1 in
	bpf/*.bpf.c) echo 100 ;;
	maps/*.h) echo 200 ;;
	*) echo 700 ;;
	esac
}

license() {
	case $1 in
	bpf/* | *.bpf.c | *.bpf.h) echo 'GPL-2.0-only OR MIT' ;;
	maps/*) echo 'GPL-2.0-only OR MIT OR Apache-2.0' ;;
	vmlinux/*) echo 'GPL-2.0' ;;
	*) echo 'MIT OR Apache-2.0' ;;
	esac
}

while read -r f; do
	lines=$(wc -l <"$f")
	max=$(limit "$f")
	# A longer file must say why, in a comment with these words.
	if [ "$lines" -gt "$max" ] && ! grep -q 'longer than the style' "$f"; then
		complain "$f: $lines lines, at most $max"
	fi
	# A header that both sides of a bench or a test include may say so.
	head -n 3 "$f" | grep -qE "SPDX-License-Identifier: ($(license "$f")$(
		[[ $f != bench/*.h ]] || echo '|GPL-2.0-only OR MIT'))" ||
		complain "$f: wants 'SPDX-License-Identifier: $(license "$f")' on top"
	# maps/ is installed as it is and stands alone.
	if [[ $f != maps/* ]] && grep -nHE '^#include "(\.|[^/"]*[^l].h")' "$f" >&2; then
		complain "$f: include from the repository's root"
	fi
done < <(find bpf maps user loader tests bench vmlinux -name '*.[ch]' \
	2>/dev/null | sort)

while read -r f; do
	head -n 3 "$f" | grep -q 'SPDX-License-Identifier: ' ||
		complain "$f: wants an SPDX line"
done < <(find Makefile .ci tests bench \( -name '*.sh' -o -name '*.py' -o \
	-path '.ci/*' -o -name Makefile \) -type f 2>/dev/null | sort)

exit "$bad"
