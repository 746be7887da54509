/* SPDX-License-Identifier: Apache-2.0
 * Pages of package indexes, good and bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "source/python_index.h"

#define PAGE "https://index.example.org/root/simple/a/"
#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_links(void **state)
{
	static const char *const rows[][2] = {
		{"https://files.example.org/x/a.whl#sha256=1", "https://files.example.org/x/a.whl"},
		{"/packages/a.whl", "https://index.example.org/packages/a.whl"},
		{"a.whl", "https://index.example.org/root/simple/a/a.whl"},
		{"../../files/a.whl", "https://index.example.org/root/files/a.whl"},
		{"../../../../../a.whl", "https://index.example.org/a.whl"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(python_page_release) struct python_page page = {0};
		CLEANUP(free_ptr)
		char *text = xasprintf("{\"files\":[{\"filename\":\"a.whl\",\"url\":\"%s\"}]}",
				       rows[i][0]);

		assert_int_equal(python_page_parse(text, strlen(text), PAGE, "page", &page, NULL),
				 0);
		assert_true(page.found);
		assert_string_equal(page.files[0].url, rows[i][1]);
	}
}

static void test_members(void **state)
{
	static const char text[] =
		"{\"files\":[{\"filename\":\"a.whl\",\"url\":\"/a.whl\",\"size\":7,"
		"\"hashes\":{\"sha256\":\"" HEX "\"},\"yanked\":\"broken\","
		"\"upload-time\":\"2025-11-12T18:45:11.183418Z\",\"core-metadata\":{}},"
		"{\"filename\":\"b.whl\",\"url\":\"/b.whl\",\"yanked\":true,\"hashes\":{\"md5\":\"0\"},"
		"\"upload-time\":\"long ago\"},"
		"{\"filename\":\"c.whl\",\"url\":\"/c.whl\",\"yanked\":false,\"size\":-1}]}";
	CLEANUP(python_page_release) struct python_page page = {0};

	(void)state;
	assert_int_equal(python_page_parse(text, sizeof(text) - 1, PAGE, "page", &page, NULL), 0);
	assert_int_equal(page.count, 3);
	assert_int_equal(page.files[0].size, 7);
	assert_true(page.files[0].has_sha256);
	assert_int_equal(page.files[0].date, 1762973111);
	assert_string_equal(page.files[0].yanked, "broken");
	assert_string_equal(page.files[1].yanked, "");
	assert_false(page.files[1].has_sha256);
	assert_int_equal(page.files[1].date, 0);
	assert_null(page.files[2].yanked);
	assert_int_equal(page.files[2].size, 0);
	assert_ptr_equal(python_page_find(&page, "b.whl"), &page.files[1]);
	assert_null(python_page_find(&page, "d.whl"));
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *error; /* error: how it starts */
		int code;
	} rows[] = {
		{"<!DOCTYPE html><html></html>", "page: the answer is no page of a package index",
		 -VARVE_E_NETWORK},
		{"<h1>Welcome</h1><a href=/login>log in</a><a href=a.txt>a</a>",
		 "page: the answer is no page of a package index", -VARVE_E_NETWORK},
		{"<a href='a%2F..%2Fb-1.0.tar.gz'>b</a>", "page: \"a/../b-1.0.tar.gz\" is no name",
		 -VARVE_E_FORMAT},
		{"<a href='b%00-1.0.tar.gz'>b</a>", "page: \"b/-1.0.tar.gz\" is no name",
		 -VARVE_E_FORMAT},
		{"", "page: the answer is no page of a package index", -VARVE_E_NETWORK},
		{"{\"files\":", "page:1:9: ", -VARVE_E_FORMAT},
		{"{}", "", -VARVE_E_FORMAT},
		{"{\"files\":{}}", "", -VARVE_E_FORMAT},
		{"{\"files\":[1]}", "page: ", -VARVE_E_FORMAT},
		{"{\"files\":[{\"filename\":\"a.whl\"}]}", "page: ", -VARVE_E_FORMAT},
		{"{\"files\":[{\"filename\":\"../a.whl\",\"url\":\"/a\"}]}",
		 "page: \"../a.whl\" is no name of a file", -VARVE_E_FORMAT},
		{"{\"files\":[{\"filename\":\"a/b.whl\",\"url\":\"/a\"}]}",
		 "page: \"a/b.whl\" is no name of a file", -VARVE_E_FORMAT},
		{"{\"files\":[{\"filename\":\"a b\",\"url\":\"/a\"}]}",
		 "page: \"a b\" is no name of a file", -VARVE_E_FORMAT},
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(python_page_release) struct python_page page = {0};
		struct varve_error err = {0};

		assert_int_equal(python_page_parse(rows[i].text, strlen(rows[i].text), PAGE, "page",
						   &page, &err),
				 rows[i].code);
		if (strncmp(err.text, rows[i].error, strlen(rows[i].error)) != 0)
			fail_msg("%s: %s", rows[i].text, err.text);
		assert_int_equal(page.count, 0);
	}
}

#define HOST "https://index.example.org"

/* The older form: where links lead, what their attributes say. One file each; "": none. */
static void test_html(void **state)
{
	static const struct {
		const char *text, *name, *url, *yanked;
		bool has_sha256;
	} rows[] = {
		{"<!DOCTYPE html><title>Links for a</title><a href='a-1.0.tar.gz'>a-1.0.tar.gz</a>",
		 "a-1.0.tar.gz", HOST "/root/simple/a/a-1.0.tar.gz", NULL, false},
		{"<a href='../../files/a-1.0-py3-none-any.whl#sha256=" HEX "'>x</a>",
		 "a-1.0-py3-none-any.whl", HOST "/root/files/a-1.0-py3-none-any.whl", NULL, true},
		{"<A HREF=\"/whl/a-1.0%2Bcu126-cp311-cp311-linux_x86_64.whl#egg=a&amp;sha256=" HEX
		 "\" DATA-YANKED>x</A>",
		 "a-1.0+cu126-cp311-cp311-linux_x86_64.whl",
		 HOST "/whl/a-1.0%2Bcu126-cp311-cp311-linux_x86_64.whl", "", true},
		{"<head><base href=\"//files.example.org/d/\"><base href=\"https://evil/\"></head>"
		 "<a href=\"a-1.0.zip\" data-yanked=\"eats &lt;data&gt;\">x</a>",
		 "a-1.0.zip", "https://files.example.org/d/a-1.0.zip", "eats <data>", false},
		{"<base href=../mirror/><a href=a-1.0.zip data-requires-python='&gt;=3.8'>x",
		 "a-1.0.zip", HOST "/root/simple/mirror/a-1.0.zip", NULL, false},
		{"<a href='https://files.example.org/a-1.0.zip?token=1#md5=00'>x</a>", "a-1.0.zip",
		 "https://files.example.org/a-1.0.zip?token=1", NULL, false},
		{"<a href='a-1.0.zip#sha256=12'><a><a href=''><a href='a-1.0.zip.asc'>",
		 "a-1.0.zip", HOST "/root/simple/a/a-1.0.zip", NULL, false},
		{"<meta name='pypi:repository-version' content='1.0'><p>nothing yet", "", "", NULL,
		 false},
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(python_page_release) struct python_page page = {0};
		struct varve_error err = {0};

		if (python_page_parse(rows[i].text, strlen(rows[i].text), PAGE, "page", &page,
				      &err) < 0)
			fail_msg("%s: %s", rows[i].text, err.text);
		assert_true(page.found);
		assert_int_equal(page.count, *rows[i].name ? 1 : 0);
		if (page.count == 0)
			continue;
		assert_string_equal(page.files[0].name, rows[i].name);
		assert_string_equal(page.files[0].url, rows[i].url);
		assert_int_equal(page.files[0].has_sha256, rows[i].has_sha256);
		assert_int_equal(page.files[0].yanked != NULL, rows[i].yanked != NULL);
		if (rows[i].yanked)
			assert_string_equal(page.files[0].yanked, rows[i].yanked);
	}
}

/* What a lock says of a file, and that no host is in it. */
static void test_from(void **state)
{
	static const char *const rows[][2] = {
		{"https://files.example.org/packages/aa/bb/a-1.whl", "pypi:packages/aa/bb/a-1.whl"},
		{"https://files.example.org/x/packages/a-1.whl", "pypi:packages/a-1.whl"},
		{"https://files.example.org/whl/cu126/a-1.whl", "pypi:a-1.whl"},
		{"https://files.example.org/packages/a-1.whl?token=1", "pypi:a-1.whl"},
		{"https://files.example.org/packages/../a-1.whl", "pypi:a-1.whl"},
		{"https://files.example.org/packages/b-1.whl", "pypi:a-1.whl"},
	};
	struct source_context context = {0};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct python_file file = {.name = (char *)(uintptr_t) "a-1.whl",
					   .url = (char *)(uintptr_t)rows[i][0]};
		CLEANUP(free_ptr) char *from = python_from(&context, "pypi", &file);

		assert_string_equal(from, rows[i][1]);
	}
	strv_release(&context.learnt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_links), cmocka_unit_test(test_members),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_html),
		cmocka_unit_test(test_from)};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("python_page", tests, NULL, NULL);
}
