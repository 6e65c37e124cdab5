#include "base/ike_numbers.h"

#define NAME_CASE(symbol, value, name) case value: return name;
#define NAME_FUNCTION(function, list) \
	const char *function(unsigned value) \
	{ \
		switch (value) { \
		list(NAME_CASE) \
		default: return "unknown"; \
		} \
	}

NAME_FUNCTION(ike_exchange_name, IKE_EXCHANGES)
NAME_FUNCTION(ike_notify_name, IKE_NOTIFIES)
NAME_FUNCTION(ike_encr_name, IKE_ENCRS)
NAME_FUNCTION(ike_prf_name, IKE_PRFS)
NAME_FUNCTION(ike_integ_name, IKE_INTEGS)
NAME_FUNCTION(ike_group_name, IKE_GROUPS)
NAME_FUNCTION(ike_auth_method_name, IKE_AUTH_METHODS)
