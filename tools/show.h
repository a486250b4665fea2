/* Records and answers, as JSON and for people. */
#ifndef KITH_TOOLS_SHOW_H
#define KITH_TOOLS_SHOW_H

#include "buffer.h"
#include "kith.h"

/* "byte":...,"line":... of a passage. */
void show_put_span(buffer *out, const kith_record *record);
/* "title":...,"metadata":...,"source":... of a record. */
void show_put_origin(buffer *out, const kith_record *record);

/* What an answer belongs to, and how it is shown. */
typedef struct show_query {
    kith_text id;   /* of the query */
    kith_text text; /* data NULL: none */
    kith_text like; /* id of the record that was asked for; data NULL: none */
    bool explains;
    const char *field; /* of the metadata, shown to people; NULL: none */
    const float *similarities; /* of the hits, whose scores are others; NULL: no others */
} show_query;

/* A record with all its passages; is_versioned: with the member "v". */
void show_put_record(buffer *out, const kith_records *records, bool is_versioned);

/* The contract's object, and a line feed. */
void show_put_answer(buffer *out, const show_query *query, const kith_answer *answer);
/* The same in two parts, for members of one's own before the hits. */
void show_open_answer(buffer *out, const show_query *query, const kith_answer *answer);
void show_close_answer(buffer *out, const show_query *query, const kith_answer *answer);
/* The same for a query that was refused: "error" instead of the hits. */
void show_put_refusal(buffer *out, const show_query *query, const char *reason);
/* TREC's format for results. */
void show_trec(buffer *out, const show_query *query, const kith_answer *answer);
void show_trec_hit(buffer *out, kith_text query, kith_text id, size_t rank,
                   double score);
void show_answer(buffer *out, const show_query *query, const kith_answer *answer);

#endif
