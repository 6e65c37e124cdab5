#include "tests/sim/keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const pems[KEY_MAX] = {
	[KEY_ED25519] =
		"-----BEGIN PRIVATE KEY-----\n"
		"MC4CAQAwBQYDK2VwBCIEIK8vv1FOvISjF6k1k287ppXBOlaBJ+1Y69FWQZQ5XUeC\n"
		"-----END PRIVATE KEY-----\n",
	[KEY_ED25519_OTHER] =
		"-----BEGIN PRIVATE KEY-----\n"
		"MC4CAQAwBQYDK2VwBCIEIOLxr/0iA1Vkd8zacybqmrAZBy3QkeSTthzoTO7ABb2/\n"
		"-----END PRIVATE KEY-----\n",
	[KEY_P256] =
		"-----BEGIN PRIVATE KEY-----\n"
		"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgKAKkCEL3UV9jbGNU\n"
		"Js/PA/C6R3/ANEcO78ylor+sjiGhRANCAAR41U7HfIzU92XV40Js+/ZuPNd1Z8tK\n"
		"fhQs5sfl1ERhu6gYk+u2wPYpfFm2WEU0I7j/6USlgSf2z9u3DB/ur2in\n"
		"-----END PRIVATE KEY-----\n",
	[KEY_RSA2048] =
		"-----BEGIN PRIVATE KEY-----\n"
		"MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQCdDnT5mzZLGgTD\n"
		"5WhlKT7kozeJ4xJ2E/H4/1bAVYeJ2T0DN9gQn+18GmVcxeid4fwgh63CXvqN6SkP\n"
		"lh6aiNCnUf7SjhNkz3Ec5VfPFSw6gDPsYuqQGWNO2CpguiIAt+lyyktzNIyrYwa2\n"
		"IY6X+FwGECTEEUSfVD8CcPz0SGTOe6y4jwisrAuyCigIwre02wfM8/jE0z9/vERu\n"
		"YnvVLpvWvfADLJAKwENBpAFlI4ckxVsaW2FdWjQBS0Gb3GXTXToLYIEvXAkko1Xz\n"
		"YZdMzRspAU03mRopRLqZ5uwZF3AZuRQ+ycqckO6G7AnfpblRx8itpbVo8aUEE8RV\n"
		"Eli7DdDfAgMBAAECggEAPSALybutSVRyh1WJKFoBptWZP3qXTEpd8gVam5eOHUnl\n"
		"s5Nv7aR4tsTFL3K9Inl5+aUkrNHvXPziZLUN6yIVZxGEBimShbkwskjWQHvij1An\n"
		"JTioRvYCjwSVlbjLlBD/9BOkgs1wdCGh0o/D4gSguCFfVcnMteABd+9Gm8JzLWMb\n"
		"G00ytGDGj5uo0Oc0lTWctu55VWyKrru8Lj8DUUM0FmiU0L1LhK5DE0y2sIzwkxJn\n"
		"NSFNCw51INpqrdhgGHrMKrndl/6P445nJsLiucwQV+azGs1vZ8kSE8LCijK1ncq0\n"
		"O34U3UHjvB8+NlpM6IClLxSUALMBTw2NHoGEUc+LQQKBgQDcyfiFiAX3KEuRnk0m\n"
		"uO4IUqJ+GAbRlEvpvdomZjP3QUgbwuBxt0f4+cK1PvpgVGMZZ3Mn7DRb4NvpYot8\n"
		"TT61NBv07ZScpDMbnW7xV7Y1Ba7HaUokPwV1Ym10nM+WFzoE5A7LdvYlWbtu/VsG\n"
		"wQElJ/7vYWP4d/u2Dnskw+lZwQKBgQC2GoPsoK6U9pmQJwCt+IbCo+IZiUZp8UGG\n"
		"Kd5oT0h5QmzhEdyUGK/4kRRb60T0+Mqnt1QELxOV8R3d4SIpe+SXQ0/i1u6kq7GG\n"
		"N1sR3VrYgjA7fUwSrtIB97+Ubn4pbL8F+mup0R0OhQkyn0grseV4MQow2hUO83kS\n"
		"yWHI3a+SnwKBgDqHO99CALrVLrsqaK9UJJ2GMlcUzXHvSvRqhJLbUvk/j/rz/QWI\n"
		"HYctxmS/jiXNGPwaBVfW8MZOZF2I5wsLew0UBDk4ZcXkbTvrzwYhR0bk+8EW8zWK\n"
		"k0rbzcI0836JJ7M2NYnQPk4GbH5uoRu4PDJ6WMViXtr2C37mddR4LrrBAoGAQEw0\n"
		"cIR7oBVCO2fKEaNC0c7TsniJ6DZLEHgQE3yK9mXB0+Zen9vnpjhzm9ECVAzUYUuV\n"
		"2rRUkgjEpucrDMK1/8LAnjONp48H63/4I+KohPHS3e5rwd0AQbmcZ2hsG2xONmop\n"
		"QZiYTdwjV0BuVx9FCp8mHgGildjZ0wxP/oBn0bkCgYBgKe2sfkbxY0ZpECntSUBM\n"
		"9hEn0tqHw6TU420Y6QQib1y+9e3wDQlquh1Ayab5uxKZLif6FmuHBF3A1UeTpmX1\n"
		"NmcJ24E9pqVNzol/z1vcGgu8M6HLsRCl5CnLaLMyMPpfi1AHy0quYA5Qj010BSeB\n"
		"8ItLMg81U1Au0YKLsEH29Q==\n"
		"-----END PRIVATE KEY-----\n",
};

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "test keys: %s\n", what);
	abort();
}

struct privkey *sim_privkey(enum sim_key which)
{
	struct privkey *key;
	const char *why = "";
	enum ike_err err = privkey_from_pem(span_of(pems[which], strlen(pems[which])), &key, &why);

	must(err == IKE_OK, why);
	return key;
}

struct keyset *sim_keyset(const enum sim_key *which, unsigned n, const struct ip_addr *address)
{
	uint8_t rdata[KEY_MAX][IPSECKEY_RDATA_MAX];
	struct span rdatas[KEY_MAX];
	struct keyset *set;
	const char *why = "";
	unsigned i;

	must(n <= KEY_MAX, "too many keys");
	for (i = 0; i < n; i++) {
		struct wr w = wr_over(rdata[i], sizeof rdata[i]);
		struct privkey *key = sim_privkey(which[i]);

		must(privkey_to_ipseckey(key, &w) == IKE_OK, "no IPSECKEY from a private key");
		rdatas[i] = wr_span(&w);
		privkey_free(key);
	}
	must(keyset_new(rdatas, n, address, &set, &why) == IKE_OK, why);
	return set;
}
