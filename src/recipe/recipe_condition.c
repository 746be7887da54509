/* SPDX-License-Identifier: Apache-2.0
 * if: the operator is looked for before expansion, so that no value can bring one in. */
#include "recipe/recipe_expand.h"

#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "recipe/recipe_schema.h"

void condition_release(struct condition *condition)
{
	value_release(&condition->left);
	value_release(&condition->right);
}

static char *trimmed(const char *text, size_t len)
{
	while (len > 0 && strchr(" \t\n", text[0])) {
		text++;
		len--;
	}
	while (len > 0 && strchr(" \t\n", text[len - 1]))
		len--;
	return xstrndup(text, len);
}

static const char *find_operator(const char *text)
{
	const char *equal = strstr(text, "=="), *differ = strstr(text, "!=");

	if (!equal || !differ)
		return equal ? equal : differ;
	return equal < differ ? equal : differ;
}

int condition_read(const struct recipe_value *value, struct condition *ret, struct varve_error *err)
{
	const char *sign = find_operator(value->text);
	size_t len = sign ? (size_t)(sign - value->text) : strlen(value->text);

	if (sign && find_operator(sign + 2))
		return recipe_error(&value->at, err,
				    "\"%s\" has two comparisons; an \"if\" is A, A == B or A != B",
				    value->text);
	*ret = (struct condition){{trimmed(value->text, len), value->at}, {NULL, value->at}, false};
	if (sign) {
		ret->right.text = trimmed(sign + 2, strlen(sign + 2));
		ret->negated = sign[0] == '!';
	}
	return 0;
}

static bool is_true(const char *text)
{
	return !str_equal(text, "") && !str_equal(text, "false") && !str_equal(text, "no") &&
	       !str_equal(text, "0");
}

int recipe_condition(const struct recipe_scope *scope, const struct recipe_value *condition,
		     bool *ret, struct varve_error *err)
{
	CLEANUP(condition_release) struct condition parts = {0};
	CLEANUP(free_ptr) char *left = NULL;
	CLEANUP(free_ptr) char *right = NULL;
	int r;

	if (!condition->text) {
		*ret = true;
		return 0;
	}
	r = condition_read(condition, &parts, err);
	if (r == 0)
		r = recipe_expand(scope, &parts.left, false, NULL, NULL, &left, err);
	if (r == 0)
		r = recipe_expand(scope, &parts.right, false, NULL, NULL, &right, err);
	if (r < 0)
		return r;
	*ret = right ? str_equal(left, right) != parts.negated : is_true(left);
	return 0;
}
