# SPDX-License-Identifier: MIT OR Apache-2.0
# Binary Dawn. `make help` lists the targets; all output goes to $(BUILD).
.DELETE_ON_ERROR:
.SUFFIXES:
SHELL := /bin/bash
export PATH := $(PATH):/usr/sbin:/sbin

BUILD ?= build
CC := gcc
BPF_CLANG ?= $(firstword $(foreach v,19 18 17 16,$(shell command -v clang-$(v))))
BPFTOOL ?= bpftool
V ?= 0
Q := $(if $(filter 1,$(V)),,@)

WARN := -Wall -Wextra -Werror
CPPFLAGS += -D_GNU_SOURCE -I. -I$(BUILD)/gen
CFLAGS ?= -O2 -g
CFLAGS += -std=c17 $(WARN) -fno-strict-aliasing
LDLIBS += -lxdp -lbpf -lelf -lz -ljson-c -lpthread

BPF_CFLAGS := -target bpf -mcpu=v3 -O2 -g -std=gnu17 $(WARN) -I. \
	-isystem /usr/include/$(shell gcc -print-multiarch 2>/dev/null)

MAIN_SRC := user/app/dawnd.c
LIB_SRC := $(filter-out $(MAIN_SRC),$(wildcard user/*/*.c))
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/obj/%.o)
CLI_SRC := $(wildcard loader/*.c)
CLI_OBJ := $(CLI_SRC:%.c=$(BUILD)/obj/%.o)
UNIT_SRC := $(wildcard tests/unit/test_*.c)
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/tests/%)

.PHONY: all clean unit
all: $(BUILD)/dawn_xdp.bpf.o $(BUILD)/libdawn.a $(BUILD)/dawnd $(BUILD)/dawn

$(BUILD)/%.bpf.o: bpf/%.bpf.c
	$(Q)mkdir -p $(@D)
	$(Q)$(BPF_CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/gen/%.skel.h: $(BUILD)/%.bpf.o
	$(Q)mkdir -p $(@D)
	$(Q)$(BPFTOOL) gen skeleton $< name $* > $@

$(BUILD)/obj/%.o: %.c | $(BUILD)/gen/dawn_xdp.skel.h
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/libdawn.a: $(LIB_OBJ)
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/dawnd: $(BUILD)/obj/user/app/dawnd.o $(BUILD)/libdawn.a
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/dawn: $(CLI_OBJ) $(BUILD)/libdawn.a
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/tests/%: $(BUILD)/obj/tests/unit/%.o $(BUILD)/libdawn.a
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka

unit: $(UNIT_BIN)
	$(Q)for t in $^; do $$t || exit 1; done

clean:
	$(Q)rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
