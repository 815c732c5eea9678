/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What an HTTP server answers to a request, as the kernel's TCP gets it: for
 * clients that have a TCP of their own to compare with.
 */
#ifndef DAWN_TESTS_LIB_ANSWER_H
#define DAWN_TESTS_LIB_ANSWER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ANSWER_MAX 4096

struct answer {
	char request[512];
	uint32_t request_len;
	uint8_t bytes[ANSWER_MAX];
	uint32_t len;
	uint32_t date; /* from here on 29 bytes may differ */
};

/* GET target, with more fields ("Name: value\r\n"). Anything but a whole 200
 * ends the program. */
void answer_learn(struct answer *a, const struct sockaddr_in *server,
		  const char *target, const char *fields);

/* Are these the answer's bytes from `at` on? */
bool answer_right(const struct answer *a, uint32_t at, const uint8_t *bytes,
		  size_t len);

#endif
