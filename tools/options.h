/* Options of a command, declared as a table: parsing and --help come from it.
 *
 * Options and arguments may be mixed; "--" ends the options; "-" alone is an argument.
 * A switch --name can be taken back with --no-name. Of an option that is given several
 * times the last one counts, but for OPTION_TEXTS. */
#ifndef KITH_TOOLS_OPTIONS_H
#define KITH_TOOLS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum option_kind {
    OPTION_SWITCH,
    OPTION_TEXT,
    OPTION_TEXTS,  /* may be given several times */
    OPTION_COUNT,  /* a whole number, 0 to 2^32 - 1 */
    OPTION_BYTES,  /* the same with K, M or G (2^10, 2^20, 2^30) behind it */
    OPTION_NUMBER, /* finite, with a decimal point if need be */
    OPTION_CHOICE  /* one of the words in value, "a|b|c"; gives its place */
} option_kind;

#define MAX_OPTION_TEXTS 8

typedef struct option_texts {
    const char *given[MAX_OPTION_TEXTS];
    size_t n_given;
} option_texts;

typedef struct option {
    const char *name;  /* without the dashes; NULL ends a table */
    char letter;       /* 0: none */
    const char *value; /* what help calls the value; NULL for a switch */
    const char *help;
    option_kind kind;
    union {
        bool *flag;
        const char **text;
        option_texts *texts;
        uint32_t *count;
        uint64_t *bytes;
        double *number;
        int *choice;
    } to; /* holds the default, and then what was given */
} option;

#define SWITCH(letter, name, to_flag, help) \
    { name, letter, NULL, help, OPTION_SWITCH, { .flag = to_flag } }
#define TEXT(letter, name, value, to_text, help) \
    { name, letter, value, help, OPTION_TEXT, { .text = to_text } }
#define TEXTS(letter, name, value, to_texts, help) \
    { name, letter, value, help, OPTION_TEXTS, { .texts = to_texts } }
#define COUNT(letter, name, value, to_count, help) \
    { name, letter, value, help, OPTION_COUNT, { .count = to_count } }
#define BYTES(letter, name, value, to_bytes, help) \
    { name, letter, value, help, OPTION_BYTES, { .bytes = to_bytes } }
#define NUMBER(letter, name, value, to_number, help) \
    { name, letter, value, help, OPTION_NUMBER, { .number = to_number } }
#define CHOICE(letter, name, words, to_choice, help) \
    { name, letter, words, help, OPTION_CHOICE, { .choice = to_choice } }
#define END_OF_OPTIONS { NULL, 0, NULL, NULL, OPTION_SWITCH, { NULL } }

/* A command as help shows it. */
typedef struct usage {
    const char *command;  /* "search" */
    const char *synopsis; /* what follows "kith search", a line for each form */
    const char *about;    /* a few lines */
    const option *options;
} usage;

/* What to do after parsing: go on, or leave with this exit status. */
#define GO_ON (-1)

/* Parse argv[1] and up. What is no option is moved to argv[1], argv[2] ...,
 * *n_arguments of them. --help prints help on stdout and gives EXIT_DONE; a mistake
 * gives EXIT_USAGE. */
int options_parse(const usage *use, int argc, char **argv, int *n_arguments);

/* Say what is wrong with the command line; gives EXIT_USAGE. */
int usage_error(const usage *use, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
