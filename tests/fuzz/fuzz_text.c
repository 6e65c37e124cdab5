/* The readers of text: addresses, names, configuration lines, entries of policy groups. What they accept prints and reads back as the same value. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "base/addr.h"
#include "base/conf_line.h"
#include "base/dnsname.h"
#include "base/groups.h"

static void check_address(const char *text)
{
	char printed[IP_TEXT_MAX];
	struct ip_addr a, back;

	if (ip_from_text(text, &a) != IKE_OK)
		return;
	FUZZ_CHECK(ip_from_text(ip_text(&a, printed), &back) == IKE_OK);
	FUZZ_CHECK(ip_equal(&a, &back));
	FUZZ_CHECK(ip_scope(&a) <= IP_SCOPE_UNUSABLE);
}

static void check_name_prints(const struct dnsname *name)
{
	char printed[DNSNAME_TEXT_MAX];
	struct dnsname back;

	FUZZ_CHECK(dnsname_from_text(dnsname_text(name, printed), &back) == IKE_OK);
	FUZZ_CHECK(dnsname_equal(name, &back));
}

static void check_names(const char *text, struct span wire)
{
	struct rd r = rd_over(wire);
	struct dnsname name;

	if (dnsname_read(&r, &name) == IKE_OK) {
		FUZZ_CHECK(rd_ok(&r));
		check_name_prints(&name);
	} else {
		FUZZ_CHECK(name.n == 0 && !rd_ok(&r));
	}
	if (dnsname_from_text(text, &name) == IKE_OK)
		check_name_prints(&name);
}

static void check_view(struct span view, struct span whole)
{
	FUZZ_CHECK(view.p >= whole.p && view.n <= whole.n && view.p + view.n <= whole.p + whole.n);
}

static void check_conf_line(struct span line)
{
	struct conf_line got = conf_line_read(line);

	switch (got.kind) {
	case CONF_LINE_EMPTY:
		break;
	case CONF_LINE_OPTION:
		check_view(got.name, line);
		check_view(got.value, line);
		FUZZ_CHECK(got.name.n > 0);
		break;
	case CONF_LINE_BAD:
		FUZZ_CHECK(got.error && *got.error);
		break;
	}
}

/* An entry prints as a line that is the same entry, and covers itself. */
static void check_group_line(struct span line)
{
	static struct groups one, back;
	char wrong[GROUPS_WRONG_MAX], text[GROUP_ENTRY_TEXT_MAX];
	struct group_entry entry = { .group = GROUP_NONE };
	const char *value;

	groups_clear(&one);
	groups_clear(&back);
	if (groups_add_line(&one, GROUP_CLEAR, line, wrong) != IKE_OK) {
		FUZZ_CHECK(wrong[0] != '\0' && groups_count(&one) == 0);
		return;
	}
	FUZZ_CHECK(groups_count(&one) <= 1);
	if (one.n_names > 0) {
		struct dnsname name = { .n = one.name[0].n };

		memcpy(name.b, one.bytes, name.n);
		FUZZ_CHECK(groups_of_name(&one, &name, &entry) == GROUP_CLEAR);
	} else if (one.n_networks > 0) {
		FUZZ_CHECK(groups_of_address(&one, &one.network[0].address, &entry) == GROUP_CLEAR);
	} else {
		return;
	}
	value = strchr(group_entry_text(&entry, text), ' ');
	FUZZ_CHECK(value);
	FUZZ_CHECK(groups_add_line(&back, GROUP_CLEAR, span_of(value, strlen(value)), wrong) == IKE_OK);
	FUZZ_CHECK(groups_digest(&one) == groups_digest(&back));
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n)
{
	char *text = malloc(n + 1);

	FUZZ_CHECK(text);
	if (n > 0)
		memcpy(text, input, n);
	text[n] = '\0';
	check_address(text);
	check_names(text, span_of(input, n));
	check_conf_line(span_of(input, n));
	check_group_line(span_of(input, n));
	free(text);
	return 0;
}
