#include "fields.h"

static const char *const usual[N_FIELDS][MAX_CANDIDATES] = {
    [FIELD_ID] = { "id", "_id", "docid" },
    [FIELD_TEXT] = { "text", "contents", "content", "document", "question" },
    [FIELD_TITLE] = { "title" },
    [FIELD_VECTOR] = { "vector" },
};

void field_candidates(const field_names *names, field which,
                      const char *candidates[MAX_CANDIDATES])
{
    size_t n = 0;
    if (which == FIELD_VECTOR && !names->has_vector) {
        candidates[0] = NULL;
        return;
    }
    if (names->given[which] != NULL) {
        candidates[n++] = names->given[which];
    } else {
        if (names->is_query && which == FIELD_TEXT) {
            candidates[n++] = "query";
        }
        for (size_t i = 0; usual[which][i] != NULL; i++) {
            candidates[n++] = usual[which][i];
        }
    }
    candidates[n] = NULL;
}

void field_is_missing(const field_names *names, field which, buffer *reason)
{
    static const char *const what[N_FIELDS] = { "id", "text", "title", "vector" };
    const char *candidates[MAX_CANDIDATES];
    field_candidates(names, which, candidates);
    buffer_print(reason, "no %s: there is no ", what[which]);
    for (size_t i = 0; candidates[i] != NULL; i++) {
        const char *before = i == 0 ? "" : candidates[i + 1] == NULL ? " or " : ", ";
        buffer_print(reason, "%s\"%s\"", before, candidates[i]);
    }
}
