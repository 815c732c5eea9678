# SPDX-License-Identifier: MIT OR Apache-2.0
# Binary Dawn. `make help` lists the targets; all output goes to $(BUILD).
#
# No list of files is kept here: where a file lies says what becomes of it.
#   bpf/X.bpf.c              $(BUILD)/X.bpf.o, skeleton gen/X.skel.h
#   user/*/*.c               libdawn.a; user/app/dawnd.c is the daemon's main
#   loader/*.c               the `dawn` command
#   tests/unit/test_X.c      $(BUILD)/tests/test_X, a cmocka program, no root
#   tests/DIR/test_X.c       $(BUILD)/tests/DIR/test_X, for the other DIRs
#   tests/DIR/*.c, tests/lib helpers of those programs: libtest.a
#   tests/tools, tests/link  $(BUILD)/tests/X, a tool with its own main
#   tests/fuzz/fuzz_X.c      $(BUILD)/fuzz/fuzz_X, a libFuzzer target
#   bench/X.c                $(BUILD)/bench/X
#   other *.bpf.c            $(BUILD)/DIR/X.bpf.o, gen/DIR/X.skel.h
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-print-directory
# The first goal, whatever the included dependency files say.
.DEFAULT_GOAL := all
export PATH := $(PATH):/usr/sbin:/sbin

BUILD ?= build
# One spelling, or the same folder under two names would be built twice.
override BUILD := $(patsubst $(CURDIR)/%,%,$(abspath $(BUILD)))
PREFIX ?= /usr/local
DESTDIR ?=
V ?= 0
Q := $(if $(filter 1,$(V)),,@)
VERSION := 0.1.0

# Who builds. As root in somebody else's tree (`sudo make`) every recipe runs
# as the tree's owner, so that nothing of root's is left in $(BUILD). The
# targets that must be root say `private SHELL := $(ROOT_SHELL)`.
ROOT_SHELL := /bin/bash
TREE_OWNER := $(shell stat -c '%u:%g' .)
ifeq ($(shell id -u)/$(filter 0:%,$(TREE_OWNER)),0/)
OWNER_UID := $(firstword $(subst :, ,$(TREE_OWNER)))
OWNER_GID := $(lastword $(subst :, ,$(TREE_OWNER)))
$(shell mkdir -p $(BUILD) && chown -R --from=0 $(TREE_OWNER) $(BUILD))
SHELL := /usr/bin/setpriv
.SHELLFLAGS := --reuid=$(OWNER_UID) --regid=$(OWNER_GID) --clear-groups \
	/bin/bash -c
else
SHELL := $(ROOT_SHELL)
endif

# Tools, by name where a version matters. Looked up when first used: `make
# deps` must run where none of them is there yet.
CC := gcc
AR := ar
BPFTOOL ?= bpftool
CLANG_VERSIONS := 16 17 18 19 20 21 22 23 24
ifndef BPF_CLANG
BPF_CLANG = $(eval BPF_CLANG := $(firstword $(foreach v,$(CLANG_VERSIONS),\
	$(shell command -v clang-$(v)))))$(BPF_CLANG)
endif
# Their verdicts differ between versions, so these are not searched for.
CLANG_FORMAT ?= clang-format-16
CLANG_TIDY ?= clang-tidy-16

WARN := -Wall -Wextra -Werror
CPPFLAGS += -D_GNU_SOURCE -DDAWN_VERSION='"$(VERSION)"' -I. -I$(BUILD)/gen
CFLAGS ?= -O2 -g
CFLAGS += -std=c17 $(WARN) -fno-strict-aliasing
LDFLAGS += -Wl,--as-needed
LDLIBS += -lxdp -lbpf -lelf -lz -ljson-c -lpthread -lm
# -target bpf finds no asm/*.h by itself on a multiarch system.
BPF_CFLAGS = -target bpf -mcpu=v3 -O2 -g -std=gnu17 $(WARN) -I. \
	-isystem /usr/include/$(MULTIARCH)
MULTIARCH = $(eval MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null))$(MULTIARCH)
SAN ?=
ifneq ($(SAN),)
CFLAGS += -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer
endif

# Our own sub-makes use every core, unless the caller has said how many.
J = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))

### What becomes of which file ################################################
B := $(BUILD)
BPF_OBJ := $(patsubst bpf/%.bpf.c,$(B)/%.bpf.o,$(wildcard bpf/*.bpf.c))
MAIN_SRC := user/app/dawnd.c
LIB_SRC := $(filter-out $(MAIN_SRC),$(wildcard user/*/*.c))
CLI_SRC := $(wildcard loader/*.c)

TOOL_SRC := $(wildcard tests/tools/*.c tests/link/*.c)
TEST_BPF := $(wildcard tests/*/*.bpf.c bench/*.bpf.c)
UNIT_SRC := $(wildcard tests/unit/test_*.c)
TEST_SRC := $(filter-out $(UNIT_SRC),$(wildcard tests/*/test_*.c))
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
BENCH_SRC := $(filter-out %.bpf.c,$(wildcard bench/*.c))
HELP_SRC := $(filter-out $(TOOL_SRC) $(TEST_BPF) $(UNIT_SRC) $(TEST_SRC) \
	$(FUZZ_SRC),$(wildcard tests/*/*.c))

obj = $(patsubst %.c,$(B)/obj/%.o,$(1))
LIB_OBJ := $(call obj,$(LIB_SRC))
CLI_OBJ := $(call obj,$(CLI_SRC))
HELP_OBJ := $(call obj,$(HELP_SRC))
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(B)/tests/%)
TEST_BIN := $(TEST_SRC:%.c=$(B)/%)
TOOL_BIN := $(foreach s,$(TOOL_SRC),$(B)/tests/$(basename $(notdir $(s))))
TEST_BPF_OBJ := $(TEST_BPF:%.c=$(B)/%.o)
FUZZ_BIN := $(FUZZ_SRC:tests/%.c=$(B)/%)
BENCH_BIN := $(BENCH_SRC:%.c=$(B)/%)
PROGRAMS := $(B)/dawn_xdp.bpf.o $(B)/libdawn.a $(B)/dawnd $(B)/dawn

# Things that change without a file changing: these files hold the text, and are
# written here (not by a rule, which `make -n` would believe to have changed
# them) when it is another.
remember = $(shell mkdir -p $(B); echo '$(subst ','\'',$(2))' >$(B)/$(1).new; \
	cmp -s $(B)/$(1).new $(B)/$(1) && rm $(B)/$(1).new || \
	mv $(B)/$(1).new $(B)/$(1))
NO_BUILD := help deps demo test bench soak clean check check-format check-shell \
	check-style uninstall
ifneq ($(filter-out $(NO_BUILD),$(or $(MAKECMDGOALS),all)),)
$(call remember,cc.flags,$(CC) $(CPPFLAGS) $(CFLAGS))
$(call remember,bpf.flags,$(BPF_CLANG) $(BPF_CFLAGS))
$(call remember,lib.list,$(LIB_OBJ))
$(call remember,help.list,$(HELP_OBJ))
$(call remember,cli.list,$(CLI_OBJ))
endif

### Targets ###################################################################
.PHONY: all help install uninstall clean check check-format check-tidy \
	check-shell check-style test test-programs test-kernels unit asan \
	fuzz soak demo bench deps mutants

all: $(PROGRAMS) ## build dawnd, dawn, libdawn.a and dawn_xdp.bpf.o

help: ## show this
	@echo "usage: make [TARGET] [V=1] [BUILD=build] [PREFIX=/usr/local] [DESTDIR=]"
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  \1 \2/p' Makefile | \
	while read -r t d; do printf '  %-14s %s\n' "$$t" "$$d"; done

deps: private SHELL := $(ROOT_SHELL)
deps: private .SHELLFLAGS := -c
deps: ## install what is missing of the Debian packages needed
	@tests/tools/deps.sh build demo test

unit: $(UNIT_BIN) ## build and run the unit tests (no root)
	$(Q)BUILD=$(B) tests/run.sh unit

asan: ## the unit tests under ASan and UBSan
	$(Q)$(MAKE) $(J) BUILD=$(B)/asan SAN=address,undefined test-programs
	$(Q)BUILD=$(B) tests/run.sh asan

# For its parts: `tests/run.sh STAGE...`.
test: private SHELL := $(ROOT_SHELL)
test: private .SHELLFLAGS := -c
test: ## all tests; asks for root where they need it
	@tests/tools/deps.sh build demo test
	$(Q)$(MAKE) $(J) all test-programs fuzz-programs
	$(Q)$(MAKE) $(J) BUILD=$(B)/asan SAN=address,undefined test-programs
	$(Q)BUILD=$(B) tests/run.sh

test-programs: $(UNIT_BIN) $(TEST_BIN) $(TOOL_BIN) $(TEST_BPF_OBJ)

test-kernels: all test-programs ## run on Debian's own 6.1 kernel in qemu
	$(Q)BUILD=$(B) tests/kernels/run.sh

mutants: $(UNIT_BIN) ## faults in the TCP engine that its tests must see
	$(Q)BUILD=$(B) tests/mutants/run.sh

demo: private SHELL := $(ROOT_SHELL)
demo: private .SHELLFLAGS := -c
demo: ## see it work in two namespaces; KEEP=1 leaves it up
	@tests/tools/deps.sh build demo
	$(Q)$(MAKE) $(J) all
	$(Q)BUILD=$(B) KEEP=$(KEEP) tests/tools/as_root.sh tests/demo.sh

bench: private SHELL := $(ROOT_SHELL)
bench: private .SHELLFLAGS := -c
bench: ## the benches of bench/
	@tests/tools/deps.sh build demo bench
	$(Q)$(MAKE) $(J) all test-programs bench-programs
	$(Q)BUILD=$(B) tests/tools/as_root.sh bench/run.sh

.PHONY: bench-programs fuzz-programs
bench-programs: $(BENCH_BIN) $(TEST_BPF_OBJ)
fuzz-programs: $(FUZZ_BIN)

fuzz: $(FUZZ_BIN) ## each fuzz target for FUZZ_S (10) seconds
	$(Q)BUILD=$(B) tests/run.sh fuzz

# Under ASan and UBSan; asks for root.
soak: private SHELL := $(ROOT_SHELL)
soak: private .SHELLFLAGS := -c
soak: ## the engine against the kernel's TCP for SOAK_S (1800) seconds
	$(Q)$(MAKE) $(J) BUILD=$(B)/asan SAN=address,undefined test-programs
	$(Q)rc=0; for t in $(B)/asan/tests/soak/test_*; do \
		SOAK_S=$${SOAK_S:-1800} tests/tools/as_root.sh $$t || rc=1; \
	done; exit $$rc

clean: ## remove $(BUILD)
	$(Q)rm -rf $(B)

### BPF #######################################################################
define compile_bpf
	$(Q)mkdir -p $(@D)
	$(Q)$(if $(Q),echo "  BPF     $@")
	$(Q)$(BPF_CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@
endef

$(B)/%.bpf.o: bpf/%.bpf.c $(B)/bpf.flags | $(B)/tools.ok
	$(compile_bpf)

$(B)/%.bpf.o: %.bpf.c $(B)/bpf.flags | $(B)/tools.ok
	$(compile_bpf)

# Replaced only when it differs, so that a new comment rebuilds nothing more.
$(B)/gen/%.skel.h: $(B)/%.bpf.o
	$(Q)mkdir -p $(@D)
	$(Q)$(BPFTOOL) gen skeleton $< name $(subst -,_,$(notdir $*)) > $@.new
	$(Q)cmp -s $@.new $@ && rm $@.new && touch $@ || mv $@.new $@

### User side #################################################################
$(B)/obj/%.o: %.c $(B)/cc.flags | $(B)/tools.ok
	$(Q)mkdir -p $(@D)
	$(Q)$(if $(Q),echo "  CC      $@")
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

# A skeleton must be there before the first compilation of its users, when no
# .d file tells yet. Others do not wait for clang.
SKEL_USERS := $(shell grep -ls 'include "[^"]*\.skel\.h"' \
	user/*/*.[ch] loader/*.[ch] tests/*/*.[ch] bench/*.[ch])
skels = $(shell sed -n 's/.*include "\([^"]*\.skel\.h\)".*/\1/p' $(1))
$(foreach s,$(filter %.c,$(SKEL_USERS)),$(eval \
	$(call obj,$(s)) $(s:%.c=$(B)/clang/%.o) $(s:%.c=$(B)/fuzz/obj/%.o): | \
	$(addprefix $(B)/gen/,$(call skels,$(s)))))

define link
	$(Q)mkdir -p $(@D)
	$(Q)$(if $(Q),echo "  LD      $@")
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) $(LDLIBS) $(1)
endef

define archive
	$(Q)mkdir -p $(@D)
	$(Q)$(if $(Q),echo "  AR      $@")
	$(Q)rm -f $@ && $(AR) rcs $@ $(filter %.o,$^)
endef

# The lists: a removed source must leave the archive too.
$(B)/libdawn.a: $(LIB_OBJ) $(B)/lib.list
	$(archive)

$(B)/libtest.a: $(HELP_OBJ) $(B)/help.list
	$(archive)

$(B)/dawnd: $(call obj,$(MAIN_SRC)) $(B)/libdawn.a
	$(call link)

$(B)/dawn: $(CLI_OBJ) $(B)/libdawn.a $(B)/cli.list
	$(call link)

$(UNIT_BIN): $(B)/tests/%: $(B)/obj/tests/unit/%.o $(B)/libtest.a $(B)/libdawn.a
	$(call link,-lcmocka)

$(TEST_BIN): $(B)/%: $(B)/obj/%.o $(B)/libtest.a $(B)/libdawn.a
	$(call link,-lcmocka)

$(BENCH_BIN): $(B)/%: $(B)/obj/%.o $(B)/libtest.a $(B)/libdawn.a
	$(call link)

# Tools stand alone: they help to find out why the rest does not build.
$(foreach s,$(TOOL_SRC),$(eval \
	$(B)/tests/$(basename $(notdir $(s))): $(call obj,$(s))))
$(B)/tests/link: $(call obj,tests/lib/wire.c)
$(B)/tests/rawattack: $(call obj,tests/lib/pkt.c)
$(B)/tests/churn: $(call obj,tests/lib/pkt.c tests/lib/answer.c) $(B)/libdawn.a
$(B)/tests/tear: $(B)/libdawn.a
$(B)/tests/bulk: LDLIBS += -lcrypto
$(TOOL_BIN):
	$(call link)

# libFuzzer comes with clang; the library is built again to be instrumented.
FUZZ_CFLAGS := -O1 -g -std=c17 $(WARN) -fno-strict-aliasing \
	-fno-omit-frame-pointer -fno-sanitize-recover=all
$(B)/fuzz/obj/%.o: %.c $(B)/bpf.flags | $(B)/tools.ok
	$(Q)mkdir -p $(@D)
	$(Q)$(if $(Q),echo "  FUZZ    $@")
	$(Q)$(BPF_CLANG) $(CPPFLAGS) $(FUZZ_CFLAGS) -MMD -MP \
		-fsanitize=fuzzer-no-link,address,undefined -c $< -o $@

$(B)/fuzz/libdawn.a: $(LIB_SRC:%.c=$(B)/fuzz/obj/%.o) \
		$(HELP_SRC:%.c=$(B)/fuzz/obj/%.o) $(B)/lib.list
	$(archive)

$(FUZZ_BIN): $(B)/fuzz/%: $(B)/fuzz/obj/tests/fuzz/%.o $(B)/fuzz/libdawn.a
	$(Q)$(BPF_CLANG) -fsanitize=fuzzer,address,undefined $(LDFLAGS) -o $@ \
		$(filter %.o %.a,$^) $(LDLIBS)

### Checks ####################################################################
C_FILES = $(shell find bpf maps user loader tests bench vmlinux \
	-name '*.[ch]' 2>/dev/null | sort)
SCRIPTS = $(shell grep -rlIE '^\#!.*\b(ba)?sh\b' .ci tests bench docs loader \
	--include='*' 2>/dev/null | sort)
TIDY_SRC := $(LIB_SRC) $(MAIN_SRC) $(CLI_SRC) $(UNIT_SRC) $(TEST_SRC) \
	$(HELP_SRC) $(TOOL_SRC) $(BENCH_SRC)

check: ## formatting, lints, unit tests (no root)
	$(Q)$(MAKE) $(J) check-format check-shell check-style check-tidy \
		$(UNIT_BIN)
	$(Q)$(MAKE) unit

check-format:
	$(Q)$(CLANG_FORMAT) --dry-run -Werror $(C_FILES)

check-shell:
	$(Q)shellcheck -x $(SCRIPTS)

check-style:
	$(Q)tests/tools/style.sh

check-tidy: $(TIDY_SRC:%.c=$(B)/clang/%.tidy)

# clang compiles the user side too: its warnings differ from gcc's, and its
# .d file says when clang-tidy has to look again.
$(B)/clang/%.o: %.c $(B)/cc.flags | $(B)/tools.ok
	$(Q)mkdir -p $(@D)
	$(Q)$(BPF_CLANG) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(B)/clang/%.tidy: $(B)/clang/%.o .clang-tidy
	$(Q)$(if $(Q),echo "  TIDY    $*.c")
	$(Q)$(CLANG_TIDY) --quiet $*.c -- $(CPPFLAGS) $(CFLAGS) 2>$@.err || \
		{ cat $@.err >&2; exit 1; }
	$(Q)touch $@

### The tools are there ######################################################
# Say what is missing in our words, before a compiler does in its own.
$(B)/tools.ok: tests/tools/have_tools.sh
	$(Q)mkdir -p $(@D)
	$(Q)CC='$(CC)' BPF_CLANG='$(BPF_CLANG)' BPFTOOL='$(BPFTOOL)' $<
	$(Q)touch $@

### Installation ##############################################################
bindir := $(PREFIX)/bin
sbindir := $(PREFIX)/sbin
libdir := $(PREFIX)/lib
includedir := $(PREFIX)/include/dawn
sharedir := $(PREFIX)/share

# MODE:FILE:PLACE; install and uninstall both go by this list. Headers keep
# their folders: compile with -I$(includedir).
put = $(foreach f,$(2),$(1):$(f):$(3)/$(notdir $(f)))
INSTALLED := $(call put,755,$(B)/dawn,$(bindir)) \
	$(call put,755,$(B)/dawnd,$(sbindir)) \
	$(call put,644,$(B)/libdawn.a,$(libdir)) \
	$(call put,644,$(B)/dawn_xdp.bpf.o,$(libdir)/dawn) \
	$(foreach h,$(filter-out %.bpf.h,$(wildcard maps/*.h)) \
		$(filter-out %_int.h,$(wildcard user/*/*.h)),\
		644:$(h):$(includedir)/$(h)) \
	$(foreach m,$(wildcard docs/*.[1-8]),\
		644:$(m):$(sharedir)/man/man$(subst .,,$(suffix $(m)))/$(notdir $(m))) \
	$(call put,644,$(wildcard docs/*.md README* LICENSE*),$(sharedir)/doc/dawn)

install: private SHELL := $(ROOT_SHELL)
install: private .SHELLFLAGS := -c
install: all ## copy to $(DESTDIR)$(PREFIX)
	$(Q)set -e; for i in $(INSTALLED); do IFS=: read -r mode file place <<<"$$i"; \
		install -D -m "$$mode" "$$file" "$(DESTDIR)$$place"; done

uninstall: private SHELL := $(ROOT_SHELL)
uninstall: private .SHELLFLAGS := -c
uninstall: ## remove what install has copied
	$(Q)for i in $(INSTALLED); do rm -f "$(DESTDIR)$${i##*:}"; done
	$(Q)for d in $(includedir) $(libdir)/dawn $(sharedir)/doc/dawn; do \
		[ ! -d "$(DESTDIR)$$d" ] || \
		find "$(DESTDIR)$$d" -depth -type d -empty -delete; done

-include $(shell find $(B)/obj $(B)/clang $(B)/fuzz -name '*.d' 2>/dev/null) \
	$(wildcard $(B)/*.d $(B)/bench/*.d $(B)/tests/*/*.d)
