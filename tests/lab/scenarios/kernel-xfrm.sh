#!/bin/bash
# promise: 4
# The kernel backend over a real kernel: every cipher, roll-back, conflicts, renewal, events (tests/kernel/live.c).
# lab: timeout=180
. "$LAB/lib.sh"

lab_topology client server
lab_capture wire
[ -x "$LAB_BINDIR/tests/kernel/live" ] || skip "tests/kernel/live is not built (it needs cmocka)"
"$LAB_BINDIR/tests/kernel/live" 2>&1
expect_esp client server 4
expect_esp client server 6
