/* ike_numbers.h - numbers and names of the IANA registry "Internet Key Exchange Version 2 (IKEv2) Parameters".
 *
 * Each list is X(symbol, value, name); the enum is made from it, and the name table where names are shown. Wire values
 * that are not in a list stay plain integers: the *_name() functions then return "unknown", and the log line shows
 * the number.
 */
#ifndef OE_BASE_IKE_NUMBERS_H
#define OE_BASE_IKE_NUMBERS_H

#include <stdint.h>

#define IKE_EXCHANGES(X) \
	X(EXCH_IKE_SA_INIT, 34, "IKE_SA_INIT") \
	X(EXCH_IKE_AUTH, 35, "IKE_AUTH") \
	X(EXCH_CREATE_CHILD_SA, 36, "CREATE_CHILD_SA") \
	X(EXCH_INFORMATIONAL, 37, "INFORMATIONAL") \
	X(EXCH_IKE_INTERMEDIATE, 43, "IKE_INTERMEDIATE")

#define IKE_PAYLOADS(X) \
	X(PL_NONE, 0, "none") \
	X(PL_SA, 33, "SA") \
	X(PL_KE, 34, "KE") \
	X(PL_IDI, 35, "IDi") \
	X(PL_IDR, 36, "IDr") \
	X(PL_CERT, 37, "CERT") \
	X(PL_CERTREQ, 38, "CERTREQ") \
	X(PL_AUTH, 39, "AUTH") \
	X(PL_NONCE, 40, "Ni/Nr") \
	X(PL_NOTIFY, 41, "N") \
	X(PL_DELETE, 42, "D") \
	X(PL_VENDOR, 43, "V") \
	X(PL_TSI, 44, "TSi") \
	X(PL_TSR, 45, "TSr") \
	X(PL_SK, 46, "SK") \
	X(PL_CP, 47, "CP") \
	X(PL_EAP, 48, "EAP") \
	X(PL_SKF, 53, "SKF")

#define IKE_NOTIFIES(X) \
	X(N_UNSUPPORTED_CRITICAL_PAYLOAD, 1, "UNSUPPORTED_CRITICAL_PAYLOAD") \
	X(N_INVALID_IKE_SPI, 4, "INVALID_IKE_SPI") \
	X(N_INVALID_MAJOR_VERSION, 5, "INVALID_MAJOR_VERSION") \
	X(N_INVALID_SYNTAX, 7, "INVALID_SYNTAX") \
	X(N_INVALID_MESSAGE_ID, 9, "INVALID_MESSAGE_ID") \
	X(N_INVALID_SPI, 11, "INVALID_SPI") \
	X(N_NO_PROPOSAL_CHOSEN, 14, "NO_PROPOSAL_CHOSEN") \
	X(N_INVALID_KE_PAYLOAD, 17, "INVALID_KE_PAYLOAD") \
	X(N_AUTHENTICATION_FAILED, 24, "AUTHENTICATION_FAILED") \
	X(N_SINGLE_PAIR_REQUIRED, 34, "SINGLE_PAIR_REQUIRED") \
	X(N_NO_ADDITIONAL_SAS, 35, "NO_ADDITIONAL_SAS") \
	X(N_INTERNAL_ADDRESS_FAILURE, 36, "INTERNAL_ADDRESS_FAILURE") \
	X(N_FAILED_CP_REQUIRED, 37, "FAILED_CP_REQUIRED") \
	X(N_TS_UNACCEPTABLE, 38, "TS_UNACCEPTABLE") \
	X(N_INVALID_SELECTORS, 39, "INVALID_SELECTORS") \
	X(N_TEMPORARY_FAILURE, 43, "TEMPORARY_FAILURE") \
	X(N_CHILD_SA_NOT_FOUND, 44, "CHILD_SA_NOT_FOUND") \
	X(N_INITIAL_CONTACT, 16384, "INITIAL_CONTACT") \
	X(N_SET_WINDOW_SIZE, 16385, "SET_WINDOW_SIZE") \
	X(N_ADDITIONAL_TS_POSSIBLE, 16386, "ADDITIONAL_TS_POSSIBLE") \
	X(N_NAT_DETECTION_SOURCE_IP, 16388, "NAT_DETECTION_SOURCE_IP") \
	X(N_NAT_DETECTION_DESTINATION_IP, 16389, "NAT_DETECTION_DESTINATION_IP") \
	X(N_COOKIE, 16390, "COOKIE") \
	X(N_USE_TRANSPORT_MODE, 16391, "USE_TRANSPORT_MODE") \
	X(N_REKEY_SA, 16393, "REKEY_SA") \
	X(N_ESP_TFC_PADDING_NOT_SUPPORTED, 16394, "ESP_TFC_PADDING_NOT_SUPPORTED") \
	X(N_MOBIKE_SUPPORTED, 16396, "MOBIKE_SUPPORTED") \
	X(N_REDIRECT, 16407, "REDIRECT") \
	X(N_CHILDLESS_IKEV2_SUPPORTED, 16418, "CHILDLESS_IKEV2_SUPPORTED") \
	X(N_QCD_TOKEN, 16419, "QCD_TOKEN") \
	X(N_IKEV2_FRAGMENTATION_SUPPORTED, 16430, "IKEV2_FRAGMENTATION_SUPPORTED") \
	X(N_SIGNATURE_HASH_ALGORITHMS, 16431, "SIGNATURE_HASH_ALGORITHMS") \
	X(N_INTERMEDIATE_EXCHANGE_SUPPORTED, 16438, "INTERMEDIATE_EXCHANGE_SUPPORTED")

/* Below this value a notify reports an error, from it on a status (RFC 7296 3.10.1). */
enum { NOTIFY_FIRST_STATUS = 16384 };

#define IKE_TRANSFORM_TYPES(X) \
	X(TT_ENCR, 1, "ENCR") \
	X(TT_PRF, 2, "PRF") \
	X(TT_INTEG, 3, "INTEG") \
	X(TT_KE, 4, "KE") \
	X(TT_ESN, 5, "ESN") \
	X(TT_ADDKE1, 6, "ADDKE1")

#define IKE_ENCRS(X) \
	X(ENCR_AES_CBC, 12, "AES-CBC") \
	X(ENCR_AES_GCM_16, 20, "AES-GCM") \
	X(ENCR_CHACHA20_POLY1305, 28, "ChaCha20-Poly1305")

#define IKE_PRFS(X) \
	X(PRF_HMAC_SHA2_256, 5, "HMAC-SHA2-256") \
	X(PRF_HMAC_SHA2_384, 6, "HMAC-SHA2-384") \
	X(PRF_HMAC_SHA2_512, 7, "HMAC-SHA2-512")

#define IKE_INTEGS(X) \
	X(INTEG_NONE, 0, "none") \
	X(INTEG_HMAC_SHA2_256_128, 12, "HMAC-SHA2-256-128") \
	X(INTEG_HMAC_SHA2_384_192, 13, "HMAC-SHA2-384-192") \
	X(INTEG_HMAC_SHA2_512_256, 14, "HMAC-SHA2-512-256")

#define IKE_GROUPS(X) \
	X(GROUP_MODP_2048, 14, "modp2048") \
	X(GROUP_MODP_3072, 15, "modp3072") \
	X(GROUP_ECP_256, 19, "ecp256") \
	X(GROUP_ECP_384, 20, "ecp384") \
	X(GROUP_X25519, 31, "x25519") \
	X(GROUP_MLKEM_768, 36, "mlkem768")

#define IKE_ID_TYPES(X) \
	X(ID_IPV4_ADDR, 1, "IPv4") \
	X(ID_FQDN, 2, "FQDN") \
	X(ID_RFC822_ADDR, 3, "RFC822") \
	X(ID_IPV6_ADDR, 5, "IPv6") \
	X(ID_DER_ASN1_DN, 9, "DN") \
	X(ID_KEY_ID, 11, "KEY_ID") \
	X(ID_NULL, 13, "NULL")

#define IKE_AUTH_METHODS(X) \
	X(AUTH_RSA, 1, "RSA") \
	X(AUTH_PSK, 2, "PSK") \
	X(AUTH_ECDSA_256, 9, "ECDSA-256") \
	X(AUTH_ECDSA_384, 10, "ECDSA-384") \
	X(AUTH_ECDSA_521, 11, "ECDSA-521") \
	X(AUTH_NULL, 13, "NULL") \
	X(AUTH_SIGNATURE, 14, "digital signature")

/* RFC 7427 4 and RFC 8420: values of SIGNATURE_HASH_ALGORITHMS. */
#define IKE_HASHES(X) \
	X(HASH_SHA2_256, 2, "SHA2-256") \
	X(HASH_SHA2_384, 3, "SHA2-384") \
	X(HASH_SHA2_512, 4, "SHA2-512") \
	X(HASH_IDENTITY, 5, "Identity")

#define IKE_PROTOCOLS(X) \
	X(PROTO_NONE, 0, "none") \
	X(PROTO_IKE, 1, "IKE") \
	X(PROTO_AH, 2, "AH") \
	X(PROTO_ESP, 3, "ESP")

#define IKE_CFG_TYPES(X) \
	X(CFG_REQUEST, 1, "CFG_REQUEST") \
	X(CFG_REPLY, 2, "CFG_REPLY")

#define IKE_CFG_ATTRIBUTES(X) \
	X(CFG_INTERNAL_IP4_ADDRESS, 1, "INTERNAL_IP4_ADDRESS") \
	X(CFG_INTERNAL_IP6_ADDRESS, 8, "INTERNAL_IP6_ADDRESS")

#define IKE_ENUM_ENTRY(symbol, value, name) symbol = value,
enum ike_exchange { IKE_EXCHANGES(IKE_ENUM_ENTRY) };
enum ike_payload_type { IKE_PAYLOADS(IKE_ENUM_ENTRY) };
enum ike_notify { IKE_NOTIFIES(IKE_ENUM_ENTRY) };
enum ike_transform_type { IKE_TRANSFORM_TYPES(IKE_ENUM_ENTRY) };
enum ike_encr { IKE_ENCRS(IKE_ENUM_ENTRY) };
enum ike_prf { IKE_PRFS(IKE_ENUM_ENTRY) };
enum ike_integ { IKE_INTEGS(IKE_ENUM_ENTRY) };
enum ike_group { IKE_GROUPS(IKE_ENUM_ENTRY) };
enum ike_id_type { IKE_ID_TYPES(IKE_ENUM_ENTRY) };
enum ike_auth_method { IKE_AUTH_METHODS(IKE_ENUM_ENTRY) };
enum ike_hash { IKE_HASHES(IKE_ENUM_ENTRY) };
enum ike_protocol { IKE_PROTOCOLS(IKE_ENUM_ENTRY) };
enum ike_cfg_type { IKE_CFG_TYPES(IKE_ENUM_ENTRY) };
enum ike_cfg_attribute { IKE_CFG_ATTRIBUTES(IKE_ENUM_ENTRY) };
#undef IKE_ENUM_ENTRY

/* Names for logs and for `oe status`; "unknown" for a number that is not in the list. Never NULL. */
const char *ike_exchange_name(unsigned value);
const char *ike_notify_name(unsigned value);
const char *ike_encr_name(unsigned value);
const char *ike_prf_name(unsigned value);
const char *ike_integ_name(unsigned value);
const char *ike_group_name(unsigned value);
const char *ike_auth_method_name(unsigned value);

#endif
