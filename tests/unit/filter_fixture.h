/* Random records and random filters, with a plain account of what a filter means that
 * shares nothing with filter/. */
#ifndef KITH_TESTS_FILTER_FIXTURE_H
#define KITH_TESTS_FILTER_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

/* ------------------------------------------------------------------ chance */

typedef struct chance {
    uint64_t state;
} chance;

static inline uint64_t draw(chance *c)
{
    c->state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = c->state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline unsigned below(chance *c, unsigned n)
{
    return (unsigned)(draw(c) % n);
}

/* ------------------------------------------------------------------ values */

typedef enum sample_type {
    SAMPLE_NULL,
    SAMPLE_FALSE,
    SAMPLE_TRUE,
    SAMPLE_NUMBER,
    SAMPLE_STRING
} sample_type;

typedef struct sample_value {
    sample_type type;
    double number;
    const char *string;
} sample_value;

/* Short ones, beginnings of each other, and some around the length at which postings cut
 * them (256), two of which only differ behind it. */
static inline const char *sample_string(unsigned i)
{
    static const char *const shorter[] = { "",   "a",  "ab",  "abc", "abd", "b",
                                           "en", "de", "fr",  "En",  "\xc3\xa9t\xc3\xa9",
                                           "x y", "0", "2020" };
    static char longer[6][301];
    const unsigned n_short = sizeof(shorter) / sizeof(shorter[0]);
    if (i < n_short) {
        return shorter[i];
    }
    static const size_t lengths[] = { 254, 255, 256, 257, 300, 300 };
    i = (i - n_short) % 6;
    if (longer[i][0] == '\0') {
        memset(longer[i], 'x', lengths[i]);
        longer[i][lengths[i] - 1] = i == 5 ? 'y' : 'x';
    }
    return longer[i];
}

static inline sample_value draw_value(chance *c)
{
    static const double numbers[] = { -1e300, -2,  -1,   -0.5, 0,    0.5, 1,
                                      2,      2.5, 2019, 2020, 2021, 1e15 };
    sample_value value = { .type = SAMPLE_STRING };
    unsigned kind = below(c, 20);
    if (kind < 3) {
        value.type = (sample_type)kind;
    } else if (kind < 9) {
        value.type = SAMPLE_NUMBER;
        value.number = numbers[below(c, sizeof(numbers) / sizeof(numbers[0]))];
    } else if (kind < 11) {
        value.type = SAMPLE_NUMBER;
        value.number = below(c, 100000) / 64.0;
    } else {
        value.string = sample_string(below(c, 40) > 0 ? below(c, 14) : 14 + below(c, 6));
    }
    return value;
}

/* As JSON and as a filter have it. */
static inline int print_value(char *to, const sample_value *value)
{
    static const char *const names[] = { "null", "false", "true" };
    if (value->type == SAMPLE_NUMBER) {
        return sprintf(to, "%.17g", value->number);
    }
    return value->type == SAMPLE_STRING ? sprintf(to, "\"%s\"", value->string)
                                        : sprintf(to, "%s", names[value->type]);
}

/* ------------------------------------------------------------------ records */

#define N_SAMPLE_FIELDS 8 /* of the metadata; $id and so on come behind them */
#define N_FILTER_FIELDS 12
#define MAX_SAMPLE_VALUES 3

/* As a filter names them. */
static const char *const sample_fields[N_FILTER_FIELDS] = {
    "lang",         "year", "tags", "flag",    "author.name", "editors.name",
    "`odd. name`", "rare", "gone", "$source", "$title",      "$id",
};

typedef struct sample_field {
    bool is_there;
    unsigned n_values;
    sample_value values[MAX_SAMPLE_VALUES];
} sample_field;

typedef struct sample {
    sample_field fields[N_FILTER_FIELDS];
} sample;

static inline void draw_sample(chance *c, sample *s)
{
    static const char *const langs[] = { "en", "en", "en", "de", "fr", "xx" };
    static const unsigned one_in[N_SAMPLE_FIELDS] = { 20, 5, 3, 3, 4, 3, 2, 1 };
    memset(s, 0, sizeof(*s));
    for (unsigned f = 0; f < N_SAMPLE_FIELDS; f++) {
        sample_field *field = &s->fields[f];
        field->is_there = f == 7 ? below(c, 50) == 0 : below(c, one_in[f]) != 0;
        field->n_values = field->is_there ? 1 : 0;
        if (field->is_there && (f == 2 || f == 5)) {
            field->n_values = below(c, MAX_SAMPLE_VALUES + 1);
        }
        for (unsigned i = 0; i < field->n_values; i++) {
            field->values[i] = draw_value(c);
        }
    }
    if (s->fields[0].is_there) {
        s->fields[0].values[0] =
            (sample_value){ .type = SAMPLE_STRING, .string = langs[below(c, 6)] };
    }
    if (s->fields[1].is_there && below(c, 10) > 0) {
        s->fields[1].values[0] =
            (sample_value){ .type = SAMPLE_NUMBER, .number = 1990 + below(c, 40) };
    }
}

/* Give a record field its text; an empty one is not there. `text` is borrowed. */
static inline void set_record_field(sample *s, unsigned f, const char *text)
{
    s->fields[f] = (sample_field){
        .is_there = text[0] != '\0',
        .n_values = text[0] != '\0',
        .values = { { .type = SAMPLE_STRING, .string = text } },
    };
}

#define MAX_SAMPLE_JSON 4096

static inline void print_sample(char json[MAX_SAMPLE_JSON], const sample *s)
{
    static const char *const starts[N_SAMPLE_FIELDS] = {
        "\"lang\":",        "\"year\":",    "\"tags\":",      "\"flag\":",
        "\"author\":{\"name\":", "\"editors\":[", "\"odd. name\":", "\"rare\":",
    };
    char *to = json;
    *to++ = '{';
    for (unsigned f = 0; f < N_SAMPLE_FIELDS; f++) {
        const sample_field *field = &s->fields[f];
        if (!field->is_there || (f == 5 && field->n_values == 0)) {
            continue;
        }
        to += sprintf(to, "%s%s%s", to[-1] == '{' ? "" : ",", starts[f],
                      f == 2 ? "[" : "");
        for (unsigned i = 0; i < field->n_values; i++) {
            to += sprintf(to, "%s%s", i > 0 ? "," : "", f == 5 ? "{\"name\":" : "");
            to += print_value(to, &field->values[i]);
            to += sprintf(to, "%s", f == 5 ? "}" : "");
        }
        to += sprintf(to, "%s", f == 4 ? "}" : f == 2 || f == 5 ? "]" : "");
    }
    strcpy(to, "}");
}

/* ------------------------------------------------------------------ filters */

typedef enum test_op {
    TEST_AND,
    TEST_OR,
    TEST_NOT,
    TEST_EXISTS,
    TEST_EQUAL,
    TEST_NOT_EQUAL,
    TEST_LESS,
    TEST_LESS_EQUAL,
    TEST_GREATER,
    TEST_GREATER_EQUAL,
    TEST_IN,
    TEST_NOT_IN,
    TEST_STARTS,
    TEST_NOT_STARTS
} test_op;

#define MAX_FILTER_NODES 32
#define MAX_FILTER_TEXT (MAX_FILTER_NODES * 1400)

typedef struct test_node {
    test_op op;
    unsigned parts[2];
    unsigned field;
    unsigned n_values;
    sample_value values[4];
} test_node;

/* nodes[0] is the root. */
typedef struct test_filter {
    unsigned n_nodes;
    test_node nodes[MAX_FILTER_NODES];
} test_filter;

static inline void draw_condition(chance *c, test_node *node)
{
    node->field = below(c, N_FILTER_FIELDS - 1);
    node->op = (test_op)(TEST_EXISTS + below(c, TEST_NOT_STARTS - TEST_EXISTS + 1));
    node->n_values = node->op == TEST_EXISTS                            ? 0
                     : node->op == TEST_IN || node->op == TEST_NOT_IN ? 1 + below(c, 4)
                                                                      : 1;
    for (unsigned i = 0; i < node->n_values; i++) {
        do {
            node->values[i] = draw_value(c);
            if (node->field < 2 && below(c, 2) == 0) { /* often something that is there */
                sample like;
                draw_sample(c, &like);
                node->values[i] = like.fields[node->field].values[0];
            }
        } while ((node->op >= TEST_STARTS && node->values[i].type != SAMPLE_STRING) ||
                 (node->op >= TEST_LESS && node->op <= TEST_GREATER_EQUAL &&
                  node->values[i].type < SAMPLE_NUMBER));
    }
}

static inline unsigned draw_node(chance *c, test_filter *filter, unsigned depth)
{
    unsigned at = filter->n_nodes++;
    test_node *node = &filter->nodes[at];
    if (depth == 0 || below(c, 3) == 0) {
        draw_condition(c, node);
        return at;
    }
    node->op = (test_op)below(c, 3);
    for (unsigned i = 0; i < (node->op == TEST_NOT ? 1 : 2); i++) {
        node->parts[i] = draw_node(c, filter, depth - 1);
    }
    return at;
}

static inline void draw_filter(chance *c, test_filter *filter)
{
    memset(filter, 0, sizeof(*filter));
    draw_node(c, filter, below(c, 4));
}

static inline char *print_node(char *to, const test_filter *filter, unsigned at)
{
    static const char *const signs[] = { "AND", "OR", "NOT", "EXISTS", "=", "!=", "<",
                                         "<=",  ">",  ">=",  "IN",     "NOT IN",
                                         "STARTS WITH", "NOT STARTS WITH" };
    const test_node *node = &filter->nodes[at];
    if (node->op <= TEST_OR) {
        to += sprintf(to, "(");
        to = print_node(to, filter, node->parts[0]);
        to += sprintf(to, " %s ", signs[node->op]);
        to = print_node(to, filter, node->parts[1]);
        return to + sprintf(to, ")");
    }
    if (node->op == TEST_NOT) {
        to += sprintf(to, "NOT (");
        to = print_node(to, filter, node->parts[0]);
        return to + sprintf(to, ")");
    }
    if (node->op == TEST_EXISTS) {
        return to + sprintf(to, "EXISTS %s", sample_fields[node->field]);
    }
    bool is_list = node->op == TEST_IN || node->op == TEST_NOT_IN;
    to += sprintf(to, "%s %s %s", sample_fields[node->field], signs[node->op],
                  is_list ? "(" : "");
    for (unsigned i = 0; i < node->n_values; i++) {
        to += sprintf(to, "%s", i > 0 ? ", " : "");
        to += print_value(to, &node->values[i]);
    }
    return to + sprintf(to, "%s", is_list ? ")" : "");
}

static inline bool is_equal(const sample_value *a, const sample_value *b)
{
    return a->type == b->type &&
           (a->type != SAMPLE_NUMBER || a->number == b->number) &&
           (a->type != SAMPLE_STRING || strcmp(a->string, b->string) == 0);
}

static inline bool condition_takes(const test_node *node, const sample_value *value)
{
    if (node->op <= TEST_NOT_EQUAL || node->op == TEST_IN || node->op == TEST_NOT_IN) {
        for (unsigned i = 0; i < node->n_values; i++) {
            if (is_equal(value, &node->values[i])) {
                return true;
            }
        }
        return false;
    }
    const sample_value *wanted = &node->values[0];
    if (value->type != wanted->type) {
        return false;
    }
    if (node->op >= TEST_STARTS) {
        return strncmp(value->string, wanted->string, strlen(wanted->string)) == 0;
    }
    double order = value->type == SAMPLE_NUMBER
                       ? (value->number > wanted->number) - (value->number < wanted->number)
                       : strcmp(value->string, wanted->string);
    return node->op == TEST_LESS         ? order < 0
           : node->op == TEST_LESS_EQUAL ? order <= 0
           : node->op == TEST_GREATER    ? order > 0
                                         : order >= 0;
}

static inline bool filter_takes(const test_filter *filter, unsigned at, const sample *s)
{
    const test_node *node = &filter->nodes[at];
    switch (node->op) {
    case TEST_AND:
        return filter_takes(filter, node->parts[0], s) &&
               filter_takes(filter, node->parts[1], s);
    case TEST_OR:
        return filter_takes(filter, node->parts[0], s) ||
               filter_takes(filter, node->parts[1], s);
    case TEST_NOT:
        return !filter_takes(filter, node->parts[0], s);
    default:
        break;
    }
    const sample_field *field = &s->fields[node->field];
    bool takes = node->op == TEST_EXISTS && field->is_there &&
                 (node->field != 5 || field->n_values > 0);
    for (unsigned i = 0; i < field->n_values && node->op != TEST_EXISTS; i++) {
        takes = takes || condition_takes(node, &field->values[i]);
    }
    return takes != (node->op == TEST_NOT_EQUAL || node->op == TEST_NOT_IN ||
                     node->op == TEST_NOT_STARTS);
}

#endif
