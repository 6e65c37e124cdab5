/* control_json.h - the objects of docs/control.md. */
#ifndef OE_DAEMON_CONTROL_JSON_H
#define OE_DAEMON_CONTROL_JSON_H

#include <jansson.h>
#include <stdint.h>

#include "daemon/controld.h"
#include "tunnel/tunnel.h"

/* All return a new reference, or NULL when there is no memory. */
json_t *control_json_tunnel(const struct controld_user *user, const struct tunnel_info *info, uint64_t now_ms);
json_t *control_json_server(const struct controld_user *user);
json_t *control_json_decision(const struct tunnel_decision *decision, uint64_t now_ms);
json_t *control_json_permission(const struct controld_user *user, const struct tunnel_permission *permission);
/* The entry of the policy groups that counts for this address of this name; null: none does. */
json_t *control_json_policy(const struct controld_user *user, const struct dnsname *name, const struct ip_addr *address);
json_t *control_json_stats(const struct controld_user *user);

/* Adds next, reason, text and failure to a host. */
void control_json_prospect(const struct tunnel_prospect *prospect, uint64_t now_ms, json_t *host);

#endif
