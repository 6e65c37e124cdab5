# OE_TRY_CFLAG(VARIABLE, FLAG): append FLAG to VARIABLE when the compiler takes it without a warning.
AC_DEFUN([OE_TRY_CFLAG], [
  AS_VAR_PUSHDEF([cache], [oe_cv_cflag_$2])
  AC_CACHE_CHECK([whether $CC accepts $2], [cache],
    [oe_saved=$CFLAGS
     CFLAGS="-Werror $2"
     AC_COMPILE_IFELSE([AC_LANG_PROGRAM], [AS_VAR_SET([cache], [yes])], [AS_VAR_SET([cache], [no])])
     CFLAGS=$oe_saved])
  AS_VAR_IF([cache], [yes], [$1="$$1 $2"])
  AS_VAR_POPDEF([cache])
])

# OE_FLAGS: OE_CFLAGS and OE_LDFLAGS (programs and libraries of ours), PIE_CFLAGS and PIE_LDFLAGS (programs).
AC_DEFUN([OE_FLAGS], [
  OE_CFLAGS= OE_LDFLAGS= PIE_CFLAGS= PIE_LDFLAGS=
  m4_foreach_w([flag], [-Wall -Wextra -Wshadow -Wconversion -Wswitch-enum -Wformat=2 -Wstrict-prototypes
      -Wmissing-prototypes -Wold-style-definition -Wpointer-arith -Wwrite-strings -Wvla -Wundef],
    [OE_TRY_CFLAG([OE_CFLAGS], flag)
  ])
  AS_IF([test "x$enable_werror" = xyes], [OE_CFLAGS="$OE_CFLAGS -Werror"])
  AS_IF([test "x$enable_sanitizers" = xyes],
    [OE_CFLAGS="$OE_CFLAGS -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
     OE_LDFLAGS="$OE_LDFLAGS -fsanitize=address,undefined"],
    [m4_foreach_w([flag], [-fstack-protector-strong -fstack-clash-protection -fcf-protection],
       [OE_TRY_CFLAG([OE_CFLAGS], flag)
     ])
     AS_CASE([" $CFLAGS $CPPFLAGS "], [*_FORTIFY_SOURCE*], [],
       [*\ -O0\ *], [], [OE_CFLAGS="$OE_CFLAGS -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2"])
     OE_LDFLAGS="$OE_LDFLAGS -Wl,-z,relro -Wl,-z,now"
     PIE_CFLAGS=-fPIE PIE_LDFLAGS=-pie])
  AS_IF([test "x$enable_fuzzers" = xyes],
    [OE_CFLAGS="$OE_CFLAGS -fsanitize=fuzzer-no-link"
     FUZZ_LDFLAGS=-fsanitize=fuzzer], [FUZZ_LDFLAGS=])
  AC_SUBST([OE_CFLAGS]) AC_SUBST([OE_LDFLAGS]) AC_SUBST([PIE_CFLAGS]) AC_SUBST([PIE_LDFLAGS]) AC_SUBST([FUZZ_LDFLAGS])
])

# OE_UNBOUND_API: which form the functions of the given Unbound tree have. Decided by trying to compile a
# call, never by a version number: distributions backport.
AC_DEFUN([OE_UNBOUND_API], [
  oe_saved_cppflags=$CPPFLAGS
  CPPFLAGS="-I$UNBOUND_SOURCE $CPPFLAGS"
  AC_CACHE_CHECK([whether dns_cache_store takes is_valrec], [oe_cv_dns_cache_store_valrec],
    [AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include "config.h"
#include "services/cache/dns.h"]],
      [[return dns_cache_store(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);]])],
      [oe_cv_dns_cache_store_valrec=yes], [oe_cv_dns_cache_store_valrec=no])])
  AC_CACHE_CHECK([whether attach_sub takes cinfo], [oe_cv_attach_sub_cinfo],
    [AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include "config.h"
#include "util/module.h"
static int f(struct module_env* e) { return (*e->attach_sub)(0, 0, 0, 0, 0, 0, 0); }]],
      [[return f(0);]])],
      [oe_cv_attach_sub_cinfo=yes], [oe_cv_attach_sub_cinfo=no])])
  CPPFLAGS=$oe_saved_cppflags
  AS_IF([test "x$oe_cv_dns_cache_store_valrec" = xyes], [UNBOUND_API_DEFS="$UNBOUND_API_DEFS -DHAVE_DNS_CACHE_STORE_VALREC=1"])
  AS_IF([test "x$oe_cv_attach_sub_cinfo" = xyes], [UNBOUND_API_DEFS="$UNBOUND_API_DEFS -DHAVE_ATTACH_SUB_CINFO=1"])
  AC_SUBST([UNBOUND_API_DEFS])
])
