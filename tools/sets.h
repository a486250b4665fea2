/* What the commands on sets of records share: pairs, join, dedupe, cluster. */
#ifndef KITH_TOOLS_SETS_H
#define KITH_TOOLS_SETS_H

#include "buffer.h"
#include "kith.h"
#include "options.h"

typedef enum set_format { SET_PEOPLE, SET_JSON, SET_JSONL } set_format;

/* Options that all but join have. */
typedef struct set_options {
    bool is_json;
    bool is_jsonl;
    bool is_quiet;
    uint32_t n_threads;
} set_options;

#define SET_OPTIONS(to, jsonl_help) \
    SWITCH(0, "json", &(to).is_json, "print one JSON object"), \
        SWITCH(0, "jsonl", &(to).is_jsonl, jsonl_help), \
        COUNT(0, "threads", "N", &(to).n_threads, "0: one a processor"), \
        SWITCH('q', "quiet", &(to).is_quiet, "no progress and no summary")

/* GO_ON when one collection is given, and not two formats. */
int sets_check(const usage *use, const set_options *options, int n_arguments);
set_format sets_format(const set_options *options);

/* For the options of kith_pairs() and the like: the progress line, and signals. */
void sets_progress(void *context, const char *step, double fraction);
bool sets_interrupted(void *context);
/* Before and after such a call. */
void sets_begin(bool is_quiet);
void sets_end(void);

/* Objects of a list, one after the other: {"v":1,"NAME":[...]} as one object, or a line
 * each, with "v":1 in front. People get neither. */
typedef struct set_list {
    set_format format;
    const char *name;
    uint64_t n;
    buffer out;
} set_list;

void set_list_begin(set_list *list);
void set_list_open(set_list *list);  /* {, and "v":1 in a line */
bool set_list_close(set_list *list); /* }; false: writing has failed */
bool set_list_end(set_list *list);
/* The end of a list of all that kith_groups_next() gave, with what it said last: the exit
 * status, EXIT_NO when the list is empty. is_written: writing has not failed so far. */
int set_list_finish(set_list *list, bool is_written, kith_status status,
                    const kith_error *err);

/* "id","passage","title","text" of a record. */
void put_member(buffer *out, const kith_record *record);

/* "id  text", the text cut to the terminal; so many columns are taken already. */
void show_member(buffer *out, size_t n_columns, kith_text id, kith_text title,
                 kith_text text);
/* A pair for people: rank and score, and the members one below the other. */
void show_pair(buffer *out, uint64_t rank, float score, const kith_record *a,
               const kith_record *b);

#endif
