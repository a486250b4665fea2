#include "options.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

int usage_error(const usage *use, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    message("%s: %s; see 'kith help %s'", use->command, text, use->command);
    return EXIT_USAGE;
}

/* ------------------------------------------------------------------ help */

#define HELP_COLUMN 30

static void print_option(const option *opt)
{
    char left[160];
    int n = opt->letter != 0 ? snprintf(left, sizeof(left), "  -%c, ", opt->letter)
                             : snprintf(left, sizeof(left), "  ");
    snprintf(left + n, sizeof(left) - (size_t)n, "--%s%s%s", opt->name,
             opt->value == NULL ? "" : " ", opt->value == NULL ? "" : opt->value);
    if (strlen(left) + 2 > HELP_COLUMN) {
        printf("%s\n%*s", left, HELP_COLUMN, "");
    } else {
        printf("%-*s", HELP_COLUMN, left);
    }
    for (const char *c = opt->help; *c != '\0'; c++) {
        putchar(*c);
        if (*c == '\n') {
            printf("%*s", HELP_COLUMN, "");
        }
    }
    putchar('\n');
}

static int print_help(const usage *use)
{
    const char *form = use->synopsis;
    for (const char *lead = "usage:"; *form != '\0'; lead = "      ") {
        int length = (int)strcspn(form, "\n");
        printf("%s kith %s %.*s\n", lead, use->command, length, form);
        form += length + (form[length] == '\n');
    }
    printf("\n%s\n\noptions:\n", use->about);
    for (const option *opt = use->options; opt->name != NULL; opt++) {
        print_option(opt);
    }
    print_option(&(option){ "help", 'h', NULL, "show this", OPTION_SWITCH, { NULL } });
    return EXIT_DONE;
}

/* ------------------------------------------------------------------ values */

static bool parse_whole(const char *value, bool with_unit, uint64_t max,
                        uint64_t *result)
{
    static const char units[] = "KMG";
    char *end;
    if (value[0] < '0' || value[0] > '9') {
        return false;
    }
    errno = 0;
    unsigned long long number = strtoull(value, &end, 10);
    if (errno != 0) {
        return false;
    }
    const char *unit = *end != '\0' && with_unit ? strchr(units, *end) : NULL;
    if (unit != NULL) {
        if (__builtin_mul_overflow(number, 1ull << (10 * (unit - units + 1)),
                                   &number)) {
            return false;
        }
        end++;
    }
    *result = number;
    return *end == '\0' && number <= max;
}

static bool parse_number(const char *value, double *result)
{
    char *end;
    double number = strtod(value, &end);
    if (end == value || *end != '\0' || !isfinite(number)) {
        return false;
    }
    *result = number;
    return true;
}

static bool parse_choice(const char *words, const char *value, int *result)
{
    size_t length = strlen(value);
    for (int i = 0; *words != '\0'; i++) {
        size_t word = strcspn(words, "|");
        if (word == length && memcmp(words, value, length) == 0) {
            *result = i;
            return true;
        }
        words += word + (words[word] == '|');
    }
    return false;
}

static bool set_value(const option *opt, const char *value)
{
    uint64_t whole = 0;
    switch (opt->kind) {
    case OPTION_TEXT:
        *opt->to.text = value;
        return true;
    case OPTION_TEXTS:
        if (opt->to.texts->n_given == MAX_OPTION_TEXTS) {
            return false;
        }
        opt->to.texts->given[opt->to.texts->n_given++] = value;
        return true;
    case OPTION_COUNT:
        if (!parse_whole(value, false, UINT32_MAX, &whole)) {
            return false;
        }
        *opt->to.count = (uint32_t)whole;
        return true;
    case OPTION_BYTES:
        return parse_whole(value, true, UINT64_MAX, opt->to.bytes);
    case OPTION_NUMBER:
        return parse_number(value, opt->to.number);
    case OPTION_CHOICE:
        return parse_choice(opt->value, value, opt->to.choice);
    case OPTION_SWITCH:
        break;
    }
    return false;
}

_Static_assert(MAX_OPTION_TEXTS == 8, "as messages say");

static int set_option(const usage *use, const option *opt, const char *value)
{
    if (set_value(opt, value)) {
        return GO_ON;
    }
    static const char *const expected[] = {
        [OPTION_TEXTS] = "8 values at most",
        [OPTION_COUNT] = "a whole number",
        [OPTION_BYTES] = "a number of bytes, such as 4096, 64K or 16M",
        [OPTION_NUMBER] = "a number",
    };
    if (opt->kind == OPTION_CHOICE) {
        return usage_error(use, "--%s takes %s, not \"%s\"", opt->name, opt->value,
                           value);
    }
    return usage_error(use, "--%s takes %s, not \"%s\"", opt->name, expected[opt->kind],
                       value);
}

/* ------------------------------------------------------------------ parsing */

typedef struct parser {
    const usage *use;
    char **argv;
    int argc;
    int next;
} parser;

static int take_value(parser *p, const option *opt, const char *attached)
{
    if (attached == NULL && p->next == p->argc) {
        return usage_error(p->use, "--%s needs a value: %s", opt->name, opt->value);
    }
    return set_option(p->use, opt, attached != NULL ? attached : p->argv[p->next++]);
}

static int parse_long(parser *p, const char *name)
{
    size_t length = strcspn(name, "=");
    const char *attached = name[length] == '=' ? name + length + 1 : NULL;
    for (const option *opt = p->use->options; opt->name != NULL; opt++) {
        bool is_it =
            strlen(opt->name) == length && memcmp(opt->name, name, length) == 0;
        bool is_negated = !is_it && opt->kind == OPTION_SWITCH && length > 3 &&
                          memcmp(name, "no-", 3) == 0 &&
                          strlen(opt->name) == length - 3 &&
                          memcmp(opt->name, name + 3, length - 3) == 0;
        if (is_it && opt->kind != OPTION_SWITCH) {
            return take_value(p, opt, attached);
        }
        if (is_it || is_negated) {
            if (attached != NULL) {
                return usage_error(p->use, "--%.*s takes no value", (int)length, name);
            }
            *opt->to.flag = is_it;
            return GO_ON;
        }
    }
    return usage_error(p->use, "there is no option --%.*s", (int)length, name);
}

static int parse_short(parser *p, const char *letters)
{
    for (; *letters != '\0'; letters++) {
        const option *opt = p->use->options;
        while (opt->name != NULL && opt->letter != *letters) {
            opt++;
        }
        if (opt->name == NULL) {
            return usage_error(p->use, "there is no option -%c", *letters);
        }
        if (opt->kind != OPTION_SWITCH) {
            return take_value(p, opt, letters[1] != '\0' ? letters + 1 : NULL);
        }
        *opt->to.flag = true;
    }
    return GO_ON;
}

int options_parse(const usage *use, int argc, char **argv, int *n_arguments)
{
    parser p = { use, argv, argc, 1 };
    bool ended = false;
    *n_arguments = 0;
    while (p.next < argc) {
        char *word = argv[p.next++];
        int result = GO_ON;
        if (ended || word[0] != '-' || word[1] == '\0') {
            argv[++*n_arguments] = word;
        } else if (strcmp(word, "--") == 0) {
            ended = true;
        } else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            return print_help(use);
        } else if (word[1] == '-') {
            result = parse_long(&p, word + 2);
        } else {
            result = parse_short(&p, word + 1);
        }
        if (result != GO_ON) {
            return result;
        }
    }
    return GO_ON;
}
