// SPDX-License-Identifier: MIT OR Apache-2.0
/* tests/fuzz/fuzz_tcp.c without a fuzzer: its corpus and changes of it, and
 * random operations; the same ones in every run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>

/* The target as it is. NOLINTNEXTLINE(bugprone-suspicious-include) */
#include "tests/fuzz/fuzz_tcp.c"

#define INPUT_MAX 1024
#define MUTATIONS 60
#define RANDOM    5000

static uint64_t seed = 1;

static size_t random_below(size_t n)
{
	seed = seed * UINT64_C(6364136223846793005) +
	       UINT64_C(1442695040888963407);
	return n ? (size_t)(seed >> 33) % n : 0;
}

static void run_changed(const uint8_t *input, size_t len)
{
	uint8_t b[INPUT_MAX];

	memcpy(b, input, len);
	for (size_t k = 1 + random_below(6); k && len; k--)
		b[random_below(len)] = (uint8_t)random_below(256);
	LLVMFuzzerTestOneInput(b, len);
}

static void corpus(void **state)
{
	uint8_t input[INPUT_MAX];
	DIR *dir = opendir("tests/fuzz/corpus/tcp");
	struct dirent *e;
	char path[512];
	int files = 0;

	(void)state;
	assert_non_null(dir); /* run this from the top of the tree */
	while ((e = readdir(dir))) {
		FILE *in;
		size_t len;

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "tests/fuzz/corpus/tcp/%s",
			 e->d_name);
		in = fopen(path, "re");
		assert_non_null(in);
		len = fread(input, 1, sizeof(input), in);
		fclose(in);
		LLVMFuzzerTestOneInput(input, len);
		for (int i = 0; i < MUTATIONS; i++)
			run_changed(input, len);
		files++;
	}
	closedir(dir);
	assert_true(files >= 20);
}

static void random_operations(void **state)
{
	uint8_t b[INPUT_MAX];

	(void)state;
	for (int i = 0; i < RANDOM; i++) {
		for (size_t k = 0; k < sizeof(b); k++)
			b[k] = (uint8_t)random_below(256);
		LLVMFuzzerTestOneInput(b, sizeof(b));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(corpus),
		cmocka_unit_test(random_operations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
