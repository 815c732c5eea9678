/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Theory of operation: one allocation of sorted {extension, type} pairs that
 * point into the file's text, which is kept. The first line that names an
 * extension wins, as with other readers of mime.types; the built-in list comes
 * last, so it only fills gaps. */
#include "user/http/mime.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIME_FILE_MAX (4U << 20)
#define TYPE_LEN_MAX  128

struct pair {
	const char *ext;
	const char *type;
	uint32_t order; /* which came first */
};

struct dawn_mime {
	char *text;
	struct pair *pairs;
	size_t count;
	size_t room;
};

static const struct pair builtin[] = {
	{ "html", "text/html", 0 },
	{ "htm", "text/html", 0 },
	{ "css", "text/css", 0 },
	{ "js", "text/javascript", 0 },
	{ "mjs", "text/javascript", 0 },
	{ "json", "application/json", 0 },
	{ "txt", "text/plain", 0 },
	{ "md", "text/markdown", 0 },
	{ "csv", "text/csv", 0 },
	{ "xml", "application/xml", 0 },
	{ "svg", "image/svg+xml", 0 },
	{ "png", "image/png", 0 },
	{ "jpg", "image/jpeg", 0 },
	{ "jpeg", "image/jpeg", 0 },
	{ "gif", "image/gif", 0 },
	{ "webp", "image/webp", 0 },
	{ "avif", "image/avif", 0 },
	{ "ico", "image/vnd.microsoft.icon", 0 },
	{ "woff", "font/woff", 0 },
	{ "woff2", "font/woff2", 0 },
	{ "wasm", "application/wasm", 0 },
	{ "pdf", "application/pdf", 0 },
	{ "zip", "application/zip", 0 },
	{ "gz", "application/gzip", 0 },
	{ "mp3", "audio/mpeg", 0 },
	{ "mp4", "video/mp4", 0 },
	{ "webm", "video/webm", 0 },
};

static int add_pair(struct dawn_mime *m, const char *ext, const char *type)
{
	if (m->count == m->room) {
		size_t room = m->room ? m->room * 2 : 512;
		struct pair *p = reallocarray(m->pairs, room, sizeof(*p));

		if (!p)
			return -ENOMEM;
		m->pairs = p;
		m->room = room;
	}
	m->pairs[m->count] = (struct pair){ ext, type, (uint32_t)m->count };
	m->count++;
	return 0;
}

/* It goes into a response head as it is: nothing but visible ASCII. */
static bool type_ok(const char *type)
{
	size_t len = strlen(type);

	if (len == 0 || len > TYPE_LEN_MAX || !strchr(type, '/'))
		return false;
	for (size_t i = 0; i < len; i++)
		if (type[i] < 0x21 || type[i] > 0x7e)
			return false;
	return true;
}

static int parse_line(struct dawn_mime *m, char *line)
{
	char *save = NULL;
	char *type, *ext;
	int err;

	line[strcspn(line, "#")] = '\0';
	type = strtok_r(line, " \t\r", &save);
	if (!type || !type_ok(type))
		return 0;
	while ((ext = strtok_r(NULL, " \t\r", &save))) {
		err = add_pair(m, ext, type);
		if (err)
			return err;
	}
	return 0;
}

/* Return: the file's text, NUL-terminated, or NULL. */
static char *read_text(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *text = NULL;
	struct stat st;
	size_t len = 0;
	ssize_t n;

	if (fd == -1)
		return NULL;
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) ||
	    st.st_size > MIME_FILE_MAX)
		goto out;
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		goto out;
	while (len < (size_t)st.st_size) {
		n = read(fd, text + len, (size_t)st.st_size - len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	text[len] = '\0';
out:
	close(fd);
	return text;
}

static int compare(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;
	int c = strcasecmp(x->ext, y->ext);

	return c ? c : (x->order > y->order) - (x->order < y->order);
}

/* Keep the first of equal extensions. */
static void sort_pairs(struct dawn_mime *m)
{
	size_t kept = 0;

	qsort(m->pairs, m->count, sizeof(*m->pairs), compare);
	for (size_t i = 0; i < m->count; i++) {
		if (kept &&
		    !strcasecmp(m->pairs[kept - 1].ext, m->pairs[i].ext))
			continue;
		m->pairs[kept++] = m->pairs[i];
	}
	m->count = kept;
}

int dawn_mime_open(struct dawn_mime **out, const char *path)
{
	struct dawn_mime *m = calloc(1, sizeof(*m));
	char *save = NULL;
	char *line;
	int err = 0;

	if (!m)
		return -ENOMEM;
	m->text = read_text(path);
	if (m->text)
		line = strtok_r(m->text, "\n", &save);
	else
		line = NULL;
	for (; line && !err; line = strtok_r(NULL, "\n", &save))
		err = parse_line(m, line);
	for (size_t i = 0; i < sizeof(builtin) / sizeof(*builtin) && !err; i++)
		err = add_pair(m, builtin[i].ext, builtin[i].type);
	if (err) {
		dawn_mime_close(m);
		return err;
	}
	sort_pairs(m);
	*out = m;
	return 0;
}

void dawn_mime_close(struct dawn_mime *m)
{
	if (!m)
		return;
	free(m->pairs);
	free(m->text);
	free(m);
}

static const char *find(const struct dawn_mime *m, const char *ext)
{
	size_t lo = 0, hi = m->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strcasecmp(m->pairs[mid].ext, ext);

		if (c == 0)
			return m->pairs[mid].type;
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

const char *dawn_mime_type(const struct dawn_mime *m, const char *name)
{
	const char *base = strrchr(name, '/');
	const char *dot, *type;

	base = base ? base + 1 : name;
	/* A leading dot makes a hidden file, not an extension. */
	for (dot = *base ? strchr(base + 1, '.') : NULL; dot;
	     dot = strchr(dot + 1, '.')) {
		type = find(m, dot + 1);
		if (type)
			return type;
	}
	return DAWN_MIME_DEFAULT;
}
