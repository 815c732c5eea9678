// SPDX-License-Identifier: MIT OR Apache-2.0
#include "loader/pace.h"

#include <signal.h>
#include <stddef.h>

#include "user/io/clock.h"

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

void dawn_catch_interrupts(void)
{
	struct sigaction on = { .sa_handler = on_interrupt };

	sigaction(SIGINT, &on, NULL);
	sigaction(SIGTERM, &on, NULL);
}

bool dawn_interrupted(void)
{
	return interrupted;
}

uint64_t dawn_now_ns(void)
{
	return dawn_clock_ns(CLOCK_MONOTONIC);
}
