// SPDX-License-Identifier: MIT OR Apache-2.0
#include "tests/lib/answer.h"

#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/tool.h"

#define DATE_LEN 29

static void read_all(struct answer *a, int fd)
{
	const char *text = (const char *)a->bytes, *field, *body;
	uint32_t want = 0;

	a->len = 0;
	while (!want || a->len < want) {
		ssize_t n =
			recv(fd, a->bytes + a->len, ANSWER_MAX - 1 - a->len, 0);

		if (n <= 0)
			die_errno("answer");
		a->len += (uint32_t)n;
		a->bytes[a->len] = '\0';
		body = strstr(text, "\r\n\r\n");
		field = strcasestr(text, "\r\ncontent-length: ");
		if (body && field)
			want = (uint32_t)(body + 4 - text) +
			       (uint32_t)strtoul(field + 18, NULL, 10);
	}
	field = strcasestr(text, "\r\ndate: ");
	if (strncmp(text, "HTTP/1.1 200 ", 13) || !field || a->len != want) {
		errno = EPROTO;
		die_errno("answer");
	}
	a->date = (uint32_t)(field + 8 - text);
}

void answer_learn(struct answer *a, const struct sockaddr_in *server,
		  const char *target, const char *fields)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a->request_len = (uint32_t)snprintf(
		a->request, sizeof(a->request),
		"GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n", target, fields);
	if (fd == -1 ||
	    connect(fd, (const struct sockaddr *)server, sizeof(*server)) ||
	    send(fd, a->request, a->request_len, 0) != (ssize_t)a->request_len)
		die_errno("connect");
	read_all(a, fd);
	close(fd);
}

bool answer_right(const struct answer *a, uint32_t at, const uint8_t *bytes,
		  size_t len)
{
	if (at + len > a->len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (bytes[i] != a->bytes[at + i] &&
		    at + i - a->date >= DATE_LEN)
			return false;
	return true;
}
