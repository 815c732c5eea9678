/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The path of a request target: percent-decoding and dot segments (RFC 3986,
 * 2.1, 5.2.4, 6.2.2). */
#ifndef DAWN_HTTP_TARGET_H
#define DAWN_HTTP_TARGET_H

#include <stdbool.h>
#include <stddef.h>

#define DAWN_HTTP_PATH_MAX 4096

/* A decoded path: relative to the root, no empty, "." or ".." segment.
 * Zero-length text is the root itself. */
struct dawn_http_path {
	char text[DAWN_HTTP_PATH_MAX]; /* NUL-terminated */
	size_t len;
	bool directory; /* it ended in '/' (or in a dot segment) */
};

/* Decode `path`, which starts with '/' or is empty (then it is the root). An
 * encoded slash names no file: 404. Return: 0; 400 for a bad escape, an
 * encoded NUL, or a way above the root; 404; 414 if it is too long. */
int dawn_http_path_decode(struct dawn_http_path *out, const char *path,
			  size_t len);

/* The one spelling of a path that is cached: starts with '/', everything but
 * unreserved and sub-delims, ':' and '@' is encoded in upper case. Return: its
 * length without NUL, or 0 if it does not fit `cap`. */
size_t dawn_http_path_encode(char *buf, size_t cap,
			     const struct dawn_http_path *path);

#endif
