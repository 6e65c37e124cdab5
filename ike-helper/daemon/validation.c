#include "config.h"

#include "daemon/validation.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "daemon/dns_loop.h"
#include "dnskey/dns_probe.h"

enum { ASK_EVERY_S = 3 };

struct probe {
	struct validation *owner;
	struct dnsname name;
};

struct validation {
	struct validation_user user;
	const struct rng *rng;
	struct dns_loop *dns;
	struct event *timer;
	bool wanted, closing;
	unsigned open, shown;       /* of those that were asked last */
	struct probe probe[DNS_PROBE_NAMES];
};

static void on_answer(void *arg, int status, int timeouts, unsigned char *bytes, int n)
{
	const struct probe *p = arg;
	struct validation *v = p->owner;
	struct dns_message message;

	(void)timeouts;
	v->open--;
	if (status == ARES_SUCCESS && dns_message_open(span_of(bytes, (size_t)n), &p->name, DNS_TYPE_A, &message) == IKE_OK)
		v->shown += dns_probe_validates(&message);
	if (v->closing || !v->wanted || v->open > 0 || v->shown < DNS_PROBE_NAMES)
		return;
	validation_watch(v, false);
	v->user.works(v->user.arg);
}

static void ask(struct validation *v)
{
	/* A resolver that does not answer at all has a little more time than this. */
	if (v->open > 0)
		return;
	v->shown = 0;
	v->open = DNS_PROBE_NAMES;
	for (unsigned i = 0; i < DNS_PROBE_NAMES; i++) {
		v->probe[i].owner = v;
		dns_probe_name(v->rng, &v->probe[i].name);
		dns_loop_ask(v->dns, v->rng, &v->probe[i].name, DNS_TYPE_A, on_answer, &v->probe[i]);
	}
}

static void on_time(evutil_socket_t fd, short what, void *arg)
{
	struct validation *v = arg;

	(void)fd;
	(void)what;
	ask(v);
	v->user.done(v->user.arg);
}

void validation_watch(struct validation *v, bool wanted)
{
	const struct timeval every = { .tv_sec = ASK_EVERY_S };

	if (!v || wanted == v->wanted)
		return;
	v->wanted = wanted;
	if (wanted)
		(void)event_add(v->timer, &every);
	else
		(void)event_del(v->timer);
}

enum ike_err validation_new(struct event_base *base, const struct ip_endpoint *resolver, int calls, const struct rng *rng,
			    const struct validation_user *user, struct validation **out)
{
	struct validation *v = calloc(1, sizeof *v);
	enum ike_err err;

	*out = NULL;
	if (!v)
		return IKE_E_NOMEM;
	v->user = *user;
	v->rng = rng;
	v->timer = event_new(base, -1, EV_PERSIST, on_time, v);
	err = v->timer ? dns_loop_new(base, resolver, calls, v->user.done, v->user.arg, &v->dns) : IKE_E_NOMEM;
	if (err != IKE_OK) {
		validation_free(v);
		return err;
	}
	*out = v;
	return IKE_OK;
}

void validation_free(struct validation *v)
{
	if (!v)
		return;
	v->closing = true;
	dns_loop_free(v->dns);
	if (v->timer)
		event_free(v->timer);
	free(v);
}
