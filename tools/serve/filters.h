/* Filters of other APIs, written in kith's filter language. */
#ifndef KITH_TOOLS_FILTERS_H
#define KITH_TOOLS_FILTERS_H

#include "request.h"

/* Each appends the filter, with a NUL, that stands for the JSON. False, and a reply,
 * where there is none. */

/* OpenAI's vector stores: {type: eq|ne|gt|gte|lt|lte|in|nin, key, value} and
 * {type: and|or, filters}. */
bool filter_of_vector_store(request *r, const json_t *filter, buffer *where);
/* Dify's metadata_condition: {logical_operator, conditions: [{name,
 * comparison_operator, value}]}. Nothing is appended for one without conditions. */
bool filter_of_retrieval(request *r, const json_t *condition, buffer *where);

#endif
