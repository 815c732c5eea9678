/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The fuzz targets without a fuzzer: the committed corpus, and a few thousand
 * mutations of it, the same ones in every run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>

/* The targets as they are, under names of their own.
 * NOLINTBEGIN(bugprone-suspicious-include) */
#define LLVMFuzzerTestOneInput fuzz_server
#include "tests/fuzz/fuzz_http_server.c"
#undef LLVMFuzzerTestOneInput
#undef CHECK
#define LLVMFuzzerTestOneInput fuzz_parse
#include "tests/fuzz/fuzz_http_parse.c"
#undef LLVMFuzzerTestOneInput
/* NOLINTEND(bugprone-suspicious-include) */

#define MUTATIONS 300
#define INPUT_MAX 4096

static uint64_t seed = 1;

static size_t random_below(size_t n)
{
	seed = seed * UINT64_C(6364136223846793005) +
	       UINT64_C(1442695040888963407);
	return n ? (size_t)(seed >> 33) % n : 0;
}

/* Change a byte, drop some, or repeat some. */
static size_t mutate(uint8_t *b, size_t len)
{
	static const char bytes[] = "\r\n\t :;,/%0aF\"*?\x00\x7f\xff";
	size_t at = random_below(len), n = random_below(8);

	switch (random_below(3)) {
	case 0:
		if (len)
			b[at] = (uint8_t)bytes[random_below(sizeof(bytes))];
		return len;
	case 1:
		n = n < len - at ? n : len - at;
		memmove(b + at, b + at + n, len - at - n);
		return len - n;
	default:
		if (n > len - at || len + n > INPUT_MAX)
			return len;
		memmove(b + at + n, b + at, len - at);
		return len + n;
	}
}

static void replay(const char *folder,
		   int (*target)(const uint8_t *data, size_t size))
{
	static uint8_t input[INPUT_MAX], b[INPUT_MAX];
	DIR *dir = opendir(folder);
	struct dirent *e;
	char path[512];
	size_t len, n;
	int files = 0;
	FILE *in;

	if (!dir) {
		fail_msg("%s: run this from the top of the tree", folder);
		return;
	}
	while ((e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		in = fopen(path, "re");
		assert_non_null(in);
		len = fread(input, 1, sizeof(input), in);
		fclose(in);
		assert_int_equal(target(input, len), 0);
		for (int i = 0; i < MUTATIONS; i++) {
			memcpy(b, input, len);
			n = len;
			for (size_t k = random_below(6) + 1; k; k--)
				n = mutate(b, n);
			target(b, n);
		}
		files++;
	}
	closedir(dir);
	assert_true(files >= 5);
}

static void replay_server(void **state)
{
	(void)state;
	replay("tests/fuzz/corpus/http_server", fuzz_server);
	dawn_http_server_destroy(server);
	server = NULL;
}

static void replay_parse(void **state)
{
	(void)state;
	replay("tests/fuzz/corpus/http_parse", fuzz_parse);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replay_server),
		cmocka_unit_test(replay_parse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
