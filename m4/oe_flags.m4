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
  AS_IF([test "x$enable_sanitizers" != xno],
    [OE_CFLAGS="$OE_CFLAGS -fsanitize=$enable_sanitizers -fno-sanitize-recover=all -fno-omit-frame-pointer"
     OE_LDFLAGS="$OE_LDFLAGS -fsanitize=$enable_sanitizers"],
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
