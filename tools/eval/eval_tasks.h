/* The tasks of MTEB that kith eval --task runs on files, all but retrieval. What they measure, and where they differ, is in docs/eval.md. */
#ifndef KITH_TOOLS_EVAL_TASKS_H
#define KITH_TOOLS_EVAL_TASKS_H

#include <stdbool.h>
#include <stddef.h>

#include "eval_parts.h"
#include "models.h"
#include "options.h"

/* For CHOICE(): its place is the task. */
#define EVAL_TASKS \
    "sts|pair-classification|classification|clustering|bitext|summarization|reranking"

/* GO_ON, or reports that the task does not take so many files. */
int eval_task_check(int task, size_t n_paths, const usage *use);

/* The fewest files that it takes: so many where models are compared. */
size_t eval_task_min_files(int task);

/* Run a task on its files. EXIT_DONE, or reported and another exit status; free the run in
 * both cases. */
int eval_task_run(int task, char *const *paths, size_t n_paths, kith_model *model,
                  eval_run *run);
void eval_run_free(eval_run *run);

/* Run it and print what it found. */
int eval_task_print(int task, char *const *paths, size_t n_paths,
                    const model_request *model, bool is_json);

#endif
