#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Prove the program on the oldest kernel we support: Debian's own 6.1, booted
# in qemu from an initramfs that we make here.
#
# usage: run.sh              all tests of tests/kernels/guest/
#        run.sh OBJ...       only load the BPF objects; on failure print the
#                            verifier's log, else its statistics as CSV
#
# The build folder is BUILD (default: build). GUEST_TESTS="10-x.sh ..." runs
# only these. The kernel is kept in KERNEL_DIR (default: $BUILD/kernel-6.1).
# Needs no root. Takes about a minute without /dev/kvm.
# timeout: 700
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."

build=${BUILD:-build}
kernel=${KERNEL_DIR:-$build/kernel-6.1}
limit_s=${TIMEOUT_S:-600}
# In the order in which they must be inserted.
modules="llc stp garp mrp 8021q veth"

work=$(mktemp -d "${TMPDIR:-/tmp}/dawn-kernels.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root

# Copy a program and the shared libraries it names.
add_program() { # FILE [PATH IN GUEST]
	local to=$root${2:-$1} lib
	install -D "$1" "$to"
	strip --strip-debug "$to" 2>/dev/null || true
	{ ldd "$1" 2>/dev/null || true; } |
		sed -n 's/.*\(=> \|^\t\)\(\/[^ ]*\) (.*/\2/p' |
		while read -r lib; do
			[ -e "$root$lib" ] || install -D "$lib" "$root$lib"
		done
}

add_modules() {
	local m file
	mkdir -p "$root/modules"
	for m in $modules; do
		file=$(find "$kernel/modules" -name "$m.ko*" | head -n 1)
		if [ -z "$file" ]; then
			echo "kernels: no module $m in $kernel/modules" >&2
			return 1
		fi
		cp "$file" "$root/modules/"
		echo "${file##*/}" >>"$root/modules/order"
	done
}

base_image() {
	install -D /bin/busybox "$root/bin/busybox"
	install "$here/init" "$root/init"
	mkdir -p "$root/t"
	add_modules
	# busybox's own sh and nsenter would prefer its own ip, ping, ... to ours.
	add_program /bin/bash
	add_program "$(command -v nsenter)" /usr/bin/nsenter
	add_program "$(command -v ip)" /usr/sbin/ip
	add_program "$build/tests/verifier_stats" /usr/local/bin/verifier_stats
}

# One guest test per object, made here.
objects_image() {
	local obj n=0
	for obj in "$@"; do
		n=$((n + 1))
		install -D "$obj" "$root/obj/$n-${obj##*/}"
		cat >"$root/t/$n-${obj##*/}.sh" <<END
verifier_stats "/obj/$n-${obj##*/}" && echo "ok loads" || echo "not ok loads"
END
	done
}

suite_image() {
	local t p
	cp "$here/guest/common.bash" "$root/t/"
	for t in ${GUEST_TESTS:-$(cd "$here/guest" && echo *.sh)}; do
		cp "$here/guest/$t" "$root/t/"
	done
	install -D "$build/dawn_xdp.bpf.o" "$root/obj/dawn_xdp.bpf.o"
	install -D -t "$root/obj/tests/progrun" "$build"/tests/progrun/*.bpf.o
	for p in bpftool tc curl ethtool ping; do
		add_program "$(command -v $p)" /usr/bin/$p
	done
	for p in "$build/dawn" "$build/dawnd"; do
		add_program "$p" "/usr/local/bin/${p##*/}"
	done
	for p in "$build"/tests/progrun/test_*; do
		[ ! -x "$p" ] || add_program "$p" "/progrun/${p##*/}"
	done
}

# A /dev/kvm is not enough: some guests have the node and no VMX or SVM.
accel() {
	if [ -w /dev/kvm ] && grep -qwE '^flags.*(vmx|svm)' /proc/cpuinfo; then
		echo kvm
	else
		echo tcg,thread=multi
	fi
}

boot() {
	timeout --foreground "$limit_s" qemu-system-x86_64 -accel "$1" -cpu max \
		-smp 2 -m 1024 -nodefaults -no-user-config -display none -no-reboot \
		-serial stdio -kernel "$kernel/vmlinuz" -initrd "$work/initrd" \
		-append "console=ttyS0 quiet panic=-1 mitigations=off nokaslr \
random.trust_cpu=on tsc=reliable no_timer_check" </dev/null |
		tr -d '\r' | tee "$work/console" | sed -u -n \
		-e 's/^@@ test .*//' -e 's/^@@ \(ok\|not ok\) /\1 /p'
}

"$here/fetch.sh" "$kernel"
[ -x "$build/tests/verifier_stats" ] ||
	make -s BUILD="$build" "$build/tests/verifier_stats"
base_image
if [ $# -gt 0 ]; then
	objects_image "$@"
else
	suite_image
fi
(cd "$root" && find . -print0 | cpio -0 -o -H newc --quiet -R 0:0) \
	>"$work/initrd"

how=$(accel)
SECONDS=0
boot "$how" || true
if [ "$how" = kvm ] && ! grep -q '^@@ start' "$work/console"; then
	how=tcg
	boot "$how" || true
fi

mkdir -p "$build/test-logs"
cp "$work/console" "$build/test-logs/kernels.console"
passed=$(grep -c '^@@ ok ' "$work/console" || true)
failed=$(grep -c '^@@ not ok ' "$work/console" || true)
if ! grep -q '^@@ done' "$work/console"; then
	echo "not ok the guest did not reach its end in $limit_s s"
	failed=$((failed + 1))
fi
if [ "$failed" != 0 ] || [ $# -gt 0 ]; then
	sed -n '/^@@ start/,$p' "$work/console" | grep -v '^@@' || true
fi
if grep -q '^program,insns' "$work/console"; then
	sed -n '/^program,insns/,/^@@/{/^[^@]/p}' "$work/console" |
		grep -E '^[^ ]+(,[0-9]+){4}$' | tests/tools/verifier_stats.sh \
		"$(sed -n 's/^@@ start //p' "$work/console")" | sed 's/^ok //' || true
fi
if [ "$passed" = 0 ] && [ "$failed" = 0 ]; then
	echo "not ok nothing was tested"
	failed=1
fi
echo "kernel $(sed -n 's/^@@ start //p' "$work/console"), ${how%%,*}, $SECONDS s"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
