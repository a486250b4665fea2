/* The classes of all code points; unicode_tables.c is made by gen_unicode_tables.py. */
#ifndef KENC_UNICODE_TABLES_H
#define KENC_UNICODE_TABLES_H

#include <stddef.h>
#include <stdint.h>

typedef enum kenc_class {
    KENC_LETTER,        /* whatever is none of the others: part of a word */
    KENC_SPACE,
    KENC_REMOVED,       /* Cc, Cf, Co, U+FFFD: goes in the clean-up, else as a letter */
    KENC_REMOVED_SPACE, /* VT, FF, NEL: goes in the clean-up, else as white space */
    KENC_PUNCTUATION,
    KENC_ACCENT,        /* Mn */
    KENC_IDEOGRAPH
} kenc_class;

/* Where the class changes, ascending: first code point << 8 | class from there on. */
extern const uint32_t kenc_class_changes[];
extern const size_t kenc_n_class_changes;

/* The position in it that holds for the first code point of each page of 256, for the
 * pages of the basic plane and the one behind. */
extern const uint16_t kenc_class_pages[257];

#endif
