#include "eval_report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "json_write.h"
#include "output.h"
#include "text.h"

#define SCORE_COLUMNS 10

void scores_add(eval_scores *scores, const char *name, double value)
{
    size_t i = scores->n_scores++;
    snprintf(scores->names[i], SCORE_NAME_BYTES, "%s", name);
    scores->values[i] = value;
}

eval_scores scores_of_ranking(const rank_request *request, const rank_scores *ranking,
                              const double *values)
{
    eval_scores scores = { .n_scores = 0 };
    for (size_t i = 0; i < ranking->n_scores; i++) {
        char name[SCORE_NAME_BYTES];
        rank_score_name(request, i, name);
        scores_add(&scores, name, values == NULL ? ranking->mean[i] : values[i]);
    }
    return scores;
}

/* ------------------------------------------------------------------ people */

static void print_value(buffer *out, double value, int width)
{
    if (isnan(value)) {
        buffer_print(out, "%*s", width, "-");
    } else {
        buffer_print(out, "%*.4f", width, value);
    }
}

int score_column_width(const score_column *column, size_t n_columns)
{
    int width = n_columns > 1 ? (int)strlen(column->label) + 2 : 0;
    return width > SCORE_COLUMNS ? width : SCORE_COLUMNS;
}

void print_score_table(buffer *out, const score_column *columns, size_t n_columns)
{
    if (n_columns > 1) {
        buffer_print(out, "%*s", NAME_COLUMNS, "");
        for (size_t c = 0; c < n_columns; c++) {
            int n_blanks = score_column_width(&columns[c], n_columns) -
                           (int)strlen(columns[c].label);
            buffer_print(out, "%*s", n_blanks, "");
            output_text(out, text_of(columns[c].label));
        }
        buffer_byte(out, '\n');
    }
    for (size_t i = 0; i < columns[0].scores.n_scores; i++) {
        buffer_print(out, "%-*s", NAME_COLUMNS, columns[0].scores.names[i]);
        for (size_t c = 0; c < n_columns; c++) {
            print_value(out, columns[c].scores.values[i],
                        score_column_width(&columns[c], n_columns));
        }
        buffer_byte(out, '\n');
    }
}

/* ------------------------------------------------------------------ JSON */

void put_score(buffer *out, double value)
{
    if (isfinite(value)) {
        put_real(out, value);
    } else {
        put_null(out);
    }
}

void put_score_members(buffer *out, const eval_scores *scores)
{
    for (size_t i = 0; i < scores->n_scores; i++) {
        put_key(out, scores->names[i]);
        put_score(out, scores->values[i]);
    }
}

/* ------------------------------------------------------------------ per query */

static void put_query_line(buffer *out, const char *label, kith_text id,
                           const eval_scores *scores)
{
    put_open(out, '{');
    put_key(out, "v");
    put_count(out, 1);
    put_key(out, "query_id");
    put_text(out, id);
    if (label != NULL) {
        put_key(out, "of");
        put_text(out, text_of(label));
    }
    put_score_members(out, scores);
    put_close(out, '}');
}

static void print_query_line(buffer *out, const char *label, kith_text id,
                             const eval_scores *scores)
{
    output_text(out, id);
    if (label != NULL) {
        buffer_byte(out, '\t');
        output_text(out, text_of(label));
    }
    for (size_t i = 0; i < scores->n_scores; i++) {
        buffer_print(out, "\t%s=%.4f", scores->names[i], scores->values[i]);
    }
}

void print_per_query(buffer *out, const rank_request *request,
                     const ranked_column *columns, size_t n_columns, bool is_json)
{
    for (size_t q = 0; q < request->n_queries; q++) {
        for (size_t c = 0; c < n_columns; c++) {
            const rank_scores *ranking = columns[c].ranking;
            eval_scores scores = scores_of_ranking(
                request, ranking, ranking->values + q * ranking->n_scores);
            const char *label = n_columns > 1 ? columns[c].label : NULL;
            if (is_json) {
                put_query_line(out, label, request->queries[q], &scores);
            } else {
                print_query_line(out, label, request->queries[q], &scores);
            }
            buffer_byte(out, '\n');
        }
    }
}
