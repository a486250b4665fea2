/* Standard output: for data, and nothing else. A failed write is not overlooked. */
#ifndef KITH_TOOLS_OUTPUT_H
#define KITH_TOOLS_OUTPUT_H

#include <stdbool.h>

#include "buffer.h"
#include "kith.h"

/* Write all bytes of the buffer and empty it. False once writing has failed; the
 * failure is reported then, and a long-running command should stop. */
bool output_write(buffer *buf);
/* The same, and see to it that a reader gets the bytes now. */
bool output_flush(buffer *buf);
/* Flush and close stdout. Gives `status`, or EXIT_ENVIRONMENT if writing failed. */
int output_finish(int status);

bool output_is_terminal(void);
bool output_has_colour(void); /* a terminal, and NO_COLOR is not set */
size_t output_columns(void);  /* 80 when it is not a terminal */

/* Append text as it is or, for a terminal, with control characters escaped. */
void output_text(buffer *buf, kith_text text);       /* line feeds are escaped too */
void output_paragraph(buffer *buf, kith_text text);  /* line feeds and tabs stay */

#endif
