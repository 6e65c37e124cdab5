/* startup.h - becoming a daemon, and telling whoever started us that we are one. */
#ifndef OE_DAEMON_STARTUP_H
#define OE_DAEMON_STARTUP_H

#include "base/err.h"

/* Go on in a child without a terminal; the parent waits and exits with the child's word: 0 when
 * startup_ready() is called, or the child's exit status when it ends first. So `oe-iked && echo
 * ready` is true. IKE_E_IO. */
IKE_CHECKED enum ike_err startup_background(void);

/* What stops a start is said in words, once, where the person looks who started us. Returns IKE_E_IO. */
__attribute__((format(printf, 1, 2)))
enum ike_err startup_failed(const char *format, ...);

/* All works: release the parent, and tell a service manager (NOTIFY_SOCKET, sd_notify(3)). */
void startup_ready(void);
/* Another process says so: this one has no more to say to whoever started us. */
void startup_detach(void);
/* The clean stop has begun. */
void startup_stopping(void);

/* Give back to the system what the start alone needed of the memory of this process: freed blocks of the heap, and the pages of
 * programs and libraries that nobody writes and nobody executes (names, relocations), of which the dynamic linker has read
 * nearly all. What is needed again is read again, from the page cache. */
void startup_trim(void);

#endif
