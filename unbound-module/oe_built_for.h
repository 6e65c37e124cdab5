/*
 * unbound-module/oe_built_for.h - is this the Unbound that we were built for?
 */

/**
 * \file
 * A module reads Unbound's structures, whose layout depends on the version,
 * the distribution's patches and the options of configure; Unbound does not
 * check. In another one than its own the module would read rubbish. So it
 * carries the build ids of the programs that it was built for (the linker's
 * note NT_GNU_BUILD_ID, which stripping and packaging leave alone), and looks
 * at that of the program it finds itself in before it touches anything.
 */

#ifndef OE_BUILT_FOR_H
#define OE_BUILT_FOR_H

/**
 * Compare the build id of the program or library around us with those that
 * we were built for. Touches no structure of Unbound. Says what is wrong and
 * what to do with log_err.
 * @return: 1 if we are at home, or if configure found no build ids to compare
 *	with; 0 if not: the caller gives up.
 */
int oe_built_for_this(void);

#endif /* OE_BUILT_FOR_H */
