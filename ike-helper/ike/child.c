#include "ike/child.h"

#include "ike/engine.h"

enum ike_err child_install(struct ike_sa *sa)
{
	struct handshake *hs = sa->hs;
	struct esp_keys *i2r = sa->initiator ? &hs->keys_out : &hs->keys_in;
	struct esp_keys *r2i = sa->initiator ? &hs->keys_in : &hs->keys_out;
	enum ike_err err;

	sa->esp_suite = hs->esp.suite;
	sa->spi_out = hs->esp.peer_spi;
	/* RFC 7296 2.17: no key exchange of its own in IKE_AUTH; the nonces are those of
	 * IKE_SA_INIT. */
	err = esp_keys_derive(&sa->suite, &sa->esp_suite, &sa->keys.d, NULL, sa_nonce_i(sa),
			      sa_nonce_r(sa), i2r, r2i);
	if (err != IKE_OK)
		return err;
	sa->expire_ms = NEVER_MS;
	engine_ask(sa, SLOT_PROTECT);
	return IKE_OK;
}

void child_is_up(struct ike_sa *sa)
{
	sa->child_installed = true;
	sa->was_up = true;
	sa->ike->stats.established++;
	out_put(&sa->ike->out, &sa->up, SLOT_UP);
}

static void addresses(const struct ike_sa *sa, struct kernel_request *out)
{
	out->reqid = sa->reqid;
	out->local = sa->path.local.addr;
	out->remote = sa->path.remote.addr;
	out->spi_in = sa->spi_in;
	out->spi_out = sa->spi_out;
}

static void move_keys(struct esp_keys *to, struct esp_keys *from)
{
	secret_move(&to->encr, &from->encr);
	secret_move(&to->integ, &from->integ);
}

void child_protect_request(struct ike_sa *sa, struct kernel_request *out)
{
	/* Who asked knows whom he reached, wherever he sends from; an anonymous client is a pair of addresses and no more. */
	*out = (struct kernel_request){ .op = KERNEL_PROTECT, .shield = sa->initiator, .suite = sa->esp_suite };
	addresses(sa, out);
	move_keys(&out->keys_in, &sa->hs->keys_in);
	move_keys(&out->keys_out, &sa->hs->keys_out);
	if (sa->encapsulated) {
		out->encap_local_port = sa->path.local.port;
		out->encap_remote_port = sa->path.remote.port;
	}
}

void child_delete_request(const struct ike_sa *sa, struct kernel_request *out)
{
	*out = (struct kernel_request){ .op = KERNEL_DELETE_SAS };
	addresses(sa, out);
}
