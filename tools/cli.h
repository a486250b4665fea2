/* What every command shares: exits, messages, signals. */
#ifndef KITH_TOOLS_CLI_H
#define KITH_TOOLS_CLI_H

#include <stdbool.h>

#include "kith.h"

/* The exit status of the program; docs/man/kith.1 tells users. */
enum {
    EXIT_DONE = 0,
    EXIT_NO = 1,          /* a clean "no": no hit, an id that is not there */
    EXIT_USAGE = 2,       /* the command line is wrong */
    EXIT_PARTIAL = 3,     /* done, but some input was refused, and listed */
    EXIT_ENVIRONMENT = 4, /* files, memory, locks, CPU */
    EXIT_DATA = 5,        /* damaged or foreign data */
    EXIT_INTERRUPTED = 130
};

/* What a call was about: a record that is not there is a "no", a file that is not there
 * a fault of the environment. */
typedef enum subject {
    SUBJECT_ENVIRONMENT,
    SUBJECT_RECORD,
    SUBJECT_FOREIGN_DATA /* files of others, such as a model to import */
} subject;

int exit_for(kith_status status, subject about);

/* Print "kith: ..." on stderr, one line; control bytes are escaped. */
void message(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Print a failure and give its exit status. */
int report(const kith_error *err, subject about);
/* The same for one that the library had no part in: always EXIT_ENVIRONMENT. */
int report_errno(const char *what, int error_number);

/* What SIGINT and SIGTERM do. A second one always ends the program. */
typedef enum on_signal {
    SIGNAL_EXITS, /* at once, with EXIT_INTERRUPTED */
    SIGNAL_ASKS   /* signal_received() turns true; blocking reads return */
} on_signal;

void signals_handle(on_signal action);
bool signal_received(void);

/* Seconds of a clock that only goes forward. */
double seconds_now(void);

/* The commands: argv[0] is the name of the command. */
int cmd_cluster(int argc, char **argv);
int cmd_compact(int argc, char **argv);
int cmd_compare(int argc, char **argv);
int cmd_dedupe(int argc, char **argv);
int cmd_delete(int argc, char **argv);
int cmd_encode(int argc, char **argv);
int cmd_eval(int argc, char **argv);
int cmd_rerank(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_get(int argc, char **argv);
int cmd_import(int argc, char **argv);
int cmd_index(int argc, char **argv);
int cmd_join(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_model(int argc, char **argv);
int cmd_pairs(int argc, char **argv);
int cmd_reembed(int argc, char **argv);
int cmd_search(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_tokens(int argc, char **argv);

#endif
