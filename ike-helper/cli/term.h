/* term.h - what a terminal gets and a file does not. */
#ifndef OE_CLI_TERM_H
#define OE_CLI_TERM_H

#include <stdbool.h>
#include <stdio.h>

/* Does a person look at this? */
bool term_is(FILE *stream);

/* The sequence that begins the colour of a state or event ("protected" is green), and the one that ends it: empty for words without a
 * colour, when the standard output is no terminal or a dumb one, and when NO_COLOR is set (https://no-color.org). */
const char *term_colour(const char *word);
const char *term_plain(const char *word);

#endif
