#!/bin/sh
# check-layers.sh: the rules of dependency that HACKING.md draws, checked mechanically.
#
#	1. A layer includes headers of itself and of lower layers only; the module those of base/ and proto/ only.
#	2. Each foreign library has its place: libnl in kernel/; libcrypto in crypto/ and dnskey/, and where the programs set it up
#	   and generate keys.
#	3. The pure layers call nothing that reads a clock, a socket, a file, the environment or a random source: every symbol
#	   that their archives leave undefined is in a list here. (Not in a build with sanitizers, which add their own.)
#	4. The pure layers have no variable that outlives a call.
#
# Runs in the build folder, with srcdir set; exit status 0 when all holds.
set -u
source=${srcdir:-.}
failed=0
listing=$(mktemp) || exit 1
trap 'rm -f "$listing"' EXIT

say()
{
	echo "$1"
	failed=1
}

# The folders whose headers this one may include.
lower_layers()
{
	case $1 in
	base) echo base ;;
	conf) echo base conf ;;
	proto) echo base proto ;;
	wire) echo base wire ;;
	crypto) echo base crypto ;;
	dnskey) echo base crypto dnskey ;;
	ike) echo base proto wire crypto dnskey ike ;;
	tunnel) echo base proto wire crypto dnskey ike tunnel ;;
	# requests to the kernel are flat values that ike/ defines; nothing else of ike/ is for it
	kernel) echo base crypto kernel ike/kernel_req.h ;;
	daemon) echo base proto wire crypto dnskey ike tunnel kernel conf daemon ;;
	# and asks the resolver as oe-iked does
	cli) echo base proto crypto dnskey conf cli daemon/dns_channel.h ;;
	module) echo base proto ;;
	*) return 1 ;;
	esac
}

# The <headers> that a pure layer may include.
pure_headers()
{
	echo 'assert.h limits.h stdarg.h stdbool.h stddef.h stdint.h stdio.h stdlib.h string.h sys/queue.h'
	case $1 in
	base) echo sodium.h ;;
	crypto | dnskey) echo 'sodium.h openssl/*' ;;
	esac
}

is_pure()
{
	case $1 in
	base | proto | wire | crypto | dnskey | ike | tunnel) return 0 ;;
	*) return 1 ;;
	esac
}

# in_list WORD PATTERN...
in_list()
{
	word=$1
	shift
	for pattern; do
		# shellcheck disable=SC2254
		case $word in
		$pattern) return 0 ;;
		esac
	done
	return 1
}

# 1 and 2 ---------------------------------------------------------------------------------------------------
check_include()
{
	layer=$1 file=$2 header=$3
	folder=${header%%/*}

	[ "$header" != config.h ] || { ! is_pure "$layer" || say "$file: includes config.h: a pure layer is the same everywhere"; return; }
	# a header of the layer's own folder may be named without the folder
	[ "$folder" != "$header" ] || return 0
	set -f
	# shellcheck disable=SC2046
	in_list "$folder" $(lower_layers "$layer") || in_list "$header" $(lower_layers "$layer") ||
		say "$file: includes $header, which is not below $layer/"
	set +f
}

check_system_include()
{
	layer=$1 file=$2 header=$3

	case $header in
	openssl/*) in_list "$layer" crypto dnskey cli daemon || say "$file: libcrypto is not for $layer/" ;;
	netlink/*) in_list "$layer" kernel || say "$file: libnl belongs to kernel/" ;;
	esac
	is_pure "$layer" || return 0
	set -f
	# shellcheck disable=SC2046
	in_list "$header" $(pure_headers "$layer") || say "$file: <$header> is not for a pure layer"
	set +f
}

check_file()
{
	layer=$1 file=$2

	sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*"\([^"]*\)".*/\1/p' "$file" >"$listing"
	while read -r header; do
		case $layer:$header in
		# Unbound's own headers are its business
		module:base/* | module:proto/*) ;;
		module:*/*) [ ! -e "$source/ike-helper/$header" ] || say "$file: includes $header; the module sees base/ and proto/ only" ;;
		module:*) ;;
		*) check_include "$layer" "$file" "$header" ;;
		esac
	done <"$listing"
	[ "$layer" != module ] || return 0
	sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*<\([^>]*\)>.*/\1/p' "$file" >"$listing"
	while read -r header; do
		check_system_include "$layer" "$file" "$header"
	done <"$listing"
}

files=0
for folder in "$source"/ike-helper/*/; do
	layer=$(basename "$folder")
	lower_layers "$layer" >/dev/null || say "ike-helper/$layer: a layer that tests/check-layers.sh does not know"
	for file in "$folder"*.[ch]; do
		[ -e "$file" ] || continue
		files=$((files + 1))
		check_file "$layer" "$file"
	done
done
for file in "$source"/unbound-module/*.[ch]; do
	[ -e "$file" ] || continue
	files=$((files + 1))
	check_file module "$file"
done
[ $files -gt 50 ] || say "only $files source files found under $source: nothing was checked"

# 3 and 4 ---------------------------------------------------------------------------------------------------
pure_symbols='mem* str* malloc calloc realloc free snprintf vsnprintf __memcpy_chk __memmove_chk __memset_chk __snprintf_chk
	__vsnprintf_chk __str*_chk __stack_chk_fail __assert_fail _GLOBAL_OFFSET_TABLE_'
wiping_symbols='sodium_memcmp sodium_memzero'
crypto_symbols='EVP_* OSSL_PARAM_* BN_* BIO_free BIO_new_mem_buf PEM_read_bio_PrivateKey i2d_PrivateKey ERR_clear_error OpenSSL_version_num
	sodium_init crypto_aead_* crypto_scalarmult* crypto_core_* crypto_sign_verify_detached'

allowed_symbols()
{
	echo "$pure_symbols"
	case $1 in
	base) echo "$wiping_symbols" ;;
	crypto | dnskey) echo "$wiping_symbols $crypto_symbols" ;;
	esac
}

archive_of()
{
	case $1 in
	crypto) echo liboecrypto.a ;;
	*) echo "lib$1.a" ;;
	esac
}

undefined=0
check_archive()
{
	layer=$1 archive=$2

	set -f
	nm -u "$archive" 2>/dev/null | awk '$1 == "U" || $1 == "w" { print $2 }' | sort -u >"$listing"
	while read -r symbol; do
		# What a lower layer of ours defines is judged there.
		# shellcheck disable=SC2086 # a list of symbols
		! in_list "$symbol" $ours || continue
		undefined=$((undefined + 1))
		# shellcheck disable=SC2046
		in_list "$symbol" $(allowed_symbols "$layer") || say "$archive: calls $symbol, which is not for a pure layer"
	done <"$listing"
	set +f
	size -A "$archive" | awk '
		/ *:$/ || /\(ex / { member = $1 }
		$1 ~ /^\.(data|bss|tdata|tbss)(\..*)?$/ && $1 !~ /^\.data\.rel\.ro/ && $2 > 0 { print member ": " $2 " bytes of " $1 }' >"$listing"
	while read -r line; do
		say "$archive: $line: a pure layer keeps nothing between calls"
	done <"$listing"
}

archives=
for layer in base proto wire crypto dnskey ike tunnel; do
	archive=$(archive_of $layer)
	[ -f "$archive" ] || { say "$archive is not there: run this in the build folder, after make"; continue; }
	archives="$archives $archive"
done
# shellcheck disable=SC2086
if nm -u $archives 2>/dev/null | grep -q -E ' (__asan_|__ubsan_|__sanitizer_|__tsan_|__gcov_)'; then
	echo "built with sanitizers or coverage, which bring symbols of their own: symbols not checked"
else
	# shellcheck disable=SC2086
	ours=$(nm -g --defined-only $archives 2>/dev/null | awk 'NF == 3 { print $3 }' | sort -u)
	for archive in $archives; do
		layer=${archive#lib}
		layer=${layer%.a}
		check_archive "${layer#oe}" "$archive"
	done
	[ $undefined -gt 20 ] || say "only $undefined symbols found: nm does not work here"
fi
exit $failed
