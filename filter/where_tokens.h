/* The words of a filter. */
#ifndef KFIL_WHERE_TOKENS_H
#define KFIL_WHERE_TOKENS_H

#include "record_fields.h"

typedef enum kfil_token_kind {
    KFIL_TOKEN_END,
    KFIL_TOKEN_WORD,   /* a bare field or a keyword */
    KFIL_TOKEN_FIELD,  /* a field with names in backquotes, or one of KFIL_RECORD */
    KFIL_TOKEN_STRING,
    KFIL_TOKEN_NUMBER,
    KFIL_TOKEN_OPEN,
    KFIL_TOKEN_CLOSE,
    KFIL_TOKEN_COMMA,
    KFIL_TOKEN_EQUAL,
    KFIL_TOKEN_NOT_EQUAL,
    KFIL_TOKEN_LESS,
    KFIL_TOKEN_LESS_EQUAL,
    KFIL_TOKEN_GREATER,
    KFIL_TOKEN_GREATER_EQUAL
} kfil_token_kind;

typedef struct kfil_token {
    kfil_token_kind kind;
    const char *at;    /* where it begins */
    size_t n_bytes;    /* as it is written */
    kith_text content; /* field: its key, a NUL behind it; string: its bytes */
    double number;
} kfil_token;

typedef struct kfil_scanner {
    const char *text;
    const char *next;
    char *room; /* for the contents that are still to come */
} kfil_scanner;

/* KITH_INVALID; KITH_NOMEM. At the end every further token is KFIL_TOKEN_END. */
kith_status kfil_next_token(kfil_scanner *scanner, kfil_token *token, kith_error *err);

/* Whether the token is this keyword, in whatever case. */
bool kfil_is_keyword(const kfil_token *token, const char *keyword);

/* KITH_INVALID, with the column of `at`. */
kith_status kfil_fail_at(const kfil_scanner *scanner, const char *at, kith_error *err,
                         const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
