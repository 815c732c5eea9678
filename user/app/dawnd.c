// SPDX-License-Identifier: MIT OR Apache-2.0
/* dawnd, the daemon: first user of libdawn. */
#include <stdio.h>

#include "user/app/daemon.h"
#include "user/app/options.h"

static int complain(const struct dawn_error *e)
{
	fprintf(stderr, "dawnd: %s\n", e->text);
	return DAWN_EXIT_FAILED;
}

int main(int argc, char **argv)
{
	struct dawn_options options;
	struct dawn_daemon *daemon;
	struct dawn_error e = { "" };
	int status;

	if (!dawn_options_parse(&options, argc, argv, &status))
		return status;
	if (dawn_daemon_create(&daemon, &options, &e))
		return complain(&e);
	status = DAWN_EXIT_OK;
	if (dawn_daemon_run(daemon, &e))
		status = complain(&e);
	if (dawn_daemon_destroy(daemon, &e))
		status = complain(&e);
	return status;
}
