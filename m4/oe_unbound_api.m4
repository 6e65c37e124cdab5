# OE_UNBOUND_API: which form the functions of the given Unbound tree have. Decided by trying to compile a
# call, never by a version number: distributions backport.
AC_DEFUN([OE_UNBOUND_API], [
  oe_saved_cppflags=$CPPFLAGS
  CPPFLAGS="-isystem $UNBOUND_SOURCE $CPPFLAGS"
  OE_UNBOUND_CALL([dns_cache_store takes is_valrec], [dns_cache_store_valrec], [HAVE_DNS_CACHE_STORE_VALREC],
    [return dns_cache_store(0, 0, 0, 0, 0, 0, 0, 0, 0, 0);])
  OE_UNBOUND_CALL([attach_sub takes cinfo], [attach_sub_cinfo], [HAVE_ATTACH_SUB_CINFO],
    [struct module_env* e = 0; return (*e->attach_sub)(0, 0, 0, 0, 0, 0, 0);])
  CPPFLAGS=$oe_saved_cppflags
  AC_SUBST([UNBOUND_API_DEFS])
])

# OE_UNBOUND_CALL(QUESTION, CACHE-NAME, MACRO, CODE): define MACRO for the module when CODE compiles.
# Unbound's config.h is written so that ours, in the build folder, is not found first.
AC_DEFUN([OE_UNBOUND_CALL], [
  AC_CACHE_CHECK([whether $1], [oe_cv_unbound_$2],
    [AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include "util/../config.h"
#include "util/module.h"
#include "services/cache/dns.h"]], [$4])],
      [oe_cv_unbound_$2=yes], [oe_cv_unbound_$2=no])])
  AS_VAR_IF([oe_cv_unbound_$2], [yes], [UNBOUND_API_DEFS="$UNBOUND_API_DEFS -D$3=1"])
])

# OE_UNBOUND_BUILD_IDS: the build ids of the programs in the given tree that load modules, as a C list. The linker put them there,
# stripping and installing leaves them alone: by these the module knows whether it is in the Unbound that it was compiled for.
AC_DEFUN([OE_UNBOUND_BUILD_IDS], [
  AC_CHECK_TOOL([READELF], [readelf])
  AC_MSG_CHECKING([for build ids in $UNBOUND_SOURCE])
  UNBOUND_BUILD_IDS= oe_found=
  for oe_name in unbound unbound-checkconf unbound-host libunbound.so; do
    for oe_file in "$UNBOUND_SOURCE/.libs/$oe_name" "$UNBOUND_SOURCE/$oe_name"; do
      AS_IF([test -f "$oe_file" && test -n "$READELF"],
        [oe_id=`LC_ALL=C $READELF -n "$oe_file" 2>/dev/null | sed -n 's/.*Build ID: *\(@<:@0-9a-f@:>@*\).*/\1/p'`
         AS_IF([test -n "$oe_id"], [UNBOUND_BUILD_IDS="$UNBOUND_BUILD_IDS\"$oe_id\"," oe_found="$oe_found $oe_name"])])
    done
  done
  AC_MSG_RESULT([${oe_found:-none}])
  AS_IF([test -z "$oe_found"],
    [AC_MSG_WARN([Unbound is not built in $UNBOUND_SOURCE, or without build ids: the module will not notice when it is loaded into another one])])
  AC_SUBST([UNBOUND_BUILD_IDS])
])
