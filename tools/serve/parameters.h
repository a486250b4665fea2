/* What a client asks for, from a JSON body or a query string: typed values with limits.
 * Each function that gives false has replied with what is wrong. */
#ifndef KITH_TOOLS_PARAMETERS_H
#define KITH_TOOLS_PARAMETERS_H

#include <stdint.h>

#include "request.h"

/* Read the body, or without one the query string, into r->parameters. */
bool parameters_read(request *r);
/* Read the query string, also of a request with a body, into *parameters. */
bool parameters_read_query(request *r, json_t **parameters);

/* Refuse members that are not among these; NULL ends the list. */
bool parameters_check_names(request *r, const char *const *names);

/* A member, or NULL: absent, or null in JSON. */
const json_t *parameter(const request *r, const char *name);

/* Each leaves *value as it is when the member is absent. */
bool parameter_text(request *r, const char *name, kith_text *value);
/* The same, but it must be there and hold more than white space. */
bool parameter_needed_text(request *r, const char *name, kith_text *value);
bool parameter_count(request *r, const char *name, uint32_t least, uint32_t most,
                     uint32_t *value);
bool parameter_number(request *r, const char *name, double least, double most,
                      double *value);
bool parameter_bool(request *r, const char *name, bool *value);

kith_text json_text(const json_t *string);

/* Append what a percent-encoded part of a URL stands for; + is a space where
 * plus_is_space. False when it is not well encoded, or not UTF-8. */
bool percent_decode(buffer *out, kith_text part, bool plus_is_space);

#endif
