/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* dawnd's command line. */
#ifndef DAWN_APP_OPTIONS_H
#define DAWN_APP_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "user/io/xdp_load.h"

enum dawn_exit_status {
	DAWN_EXIT_OK = 0,
	DAWN_EXIT_FAILED = 1, /* at run time */
	DAWN_EXIT_USAGE = 2,
};

enum dawn_io { DAWN_IO_AUTO, DAWN_IO_AFXDP, DAWN_IO_EPOLL };

struct dawn_options {
	const char *ifname; /* NULL: none, then epoll */
	const char *root;   /* NULL: every path is 404 */
	uint32_t http_port; /* 0: off */
	uint32_t hbtp_port; /* 0: off */
	int mode;           /* enum dawn_xdp_mode */
	int io;             /* enum dawn_io; AUTO is resolved by parsing */
	uint32_t queues;    /* expected rx queues; 0: all there are */
	bool zero_copy;
	uint32_t drain_s;        /* seconds that requests under way have */
	uint32_t idle_s;         /* between two requests of a connection */
	uint32_t keepalive_s;    /* silence before a probe; 0: none */
	uint32_t user_timeout_s; /* nothing acknowledged; 0: default */
	uint32_t promote_after;  /* requests; UINT32_MAX: never */
	uint32_t slots;          /* 0: default */
	uint32_t flows;          /* connections in flow_table; 0: default */
	uint32_t connections;    /* over kernel TCP; 0: default */
	uint32_t memory_mb; /* buffers of all AF_XDP connections; 0: default */
	uint32_t ttl;       /* of what is sent; 0: default */
	uint32_t dscp;      /* likewise */
	/* Request fields that change no answer. */
	bool any_cookie, any_authorization, any_cache_control;
	int ready_fd; /* "ready" is written here, too; -1: none */
};

/* Fill *o from defaults and argv; says on stderr what is wrong with it, prints
 * --help and --version. Return: true to go on; else exit with *status. */
bool dawn_options_parse(struct dawn_options *o, int argc, char **argv,
			int *status);

/* struct dawn_service.flags of the HTTP service. */
uint8_t dawn_options_service_flags(const struct dawn_options *o);

#endif
