/* kith: the program. Each command is one cmd_NAME.c, written on kith.h alone. */
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "faiss_settings.h"
#include "output.h"

typedef struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} command;

static const command commands[] = {
    { "index", cmd_index, "make a collection from files, or bring it up to date" },
    { "search", cmd_search, "find the records nearest to a question" },
    { "get", cmd_get, "print records" },
    { "list", cmd_list, "print the ids of all records" },
    { "delete", cmd_delete, "forget records" },
    { "compact", cmd_compact, "give back the space of what was deleted" },
    { "status", cmd_status, "tell what a collection holds" },
    { "verify", cmd_verify, "look for damage, measure recall" },
    { "pairs", cmd_pairs, "find the records that are most alike" },
    { "join", cmd_join, "find the neighbours of every line of a file" },
    { "dedupe", cmd_dedupe, "find exact and near duplicates, and delete them" },
    { "cluster", cmd_cluster, "group records that are alike" },
    { "import", cmd_import, "add records with vectors that were made elsewhere" },
    { "export", cmd_export, "print all records, or their vectors" },
    { "reembed", cmd_reembed, "encode all records again into a new collection" },
    { "rerank", cmd_rerank, "order texts by a cross-encoder" },
    { "eval", cmd_eval, "measure how good a search, a run or a model is" },
    { "serve", cmd_serve, "answer over HTTP, with a page to try it" },
    { "encode", cmd_encode, "turn texts into vectors" },
    { "compare", cmd_compare, "print how similar sentences are" },
    { "tokens", cmd_tokens, "show the word pieces of a text" },
    { "model", cmd_model, "import, list, describe and test models" },
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const command *find_command(const char *name)
{
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

static int print_help(void)
{
    printf("usage: kith COMMAND [options] ARGUMENTS\n\n"
           "Finds similar sentences.\n\n");
    for (size_t i = 0; i < N_COMMANDS; i++) {
        printf("  %-10s%s\n", commands[i].name, commands[i].summary);
    }
    printf("  %-10sexplain a command\n\n", "help");
    printf("  kith index faq.kith faq.jsonl\n"
           "  kith search faq.kith \"Must I pay more after a raise?\" --show answer\n\n"
           "The manual is kith(1).\n");
    return EXIT_DONE;
}

static int print_version(void)
{
    printf("kith %d.%d.%d\n", KITH_VERSION_MAJOR, KITH_VERSION_MINOR,
           KITH_VERSION_PATCH);
    printf("library  %s\n", kith_version());
    const char *kernels = kith_kernels();
    printf("kernels  %s\n", kernels[0] != '\0' ? kernels : "none");
    printf("formats  collection 0, model 2\n");
    return EXIT_DONE;
}

static int unknown_command(const char *name)
{
    message("there is no command \"%s\"; see 'kith help'", name);
    return EXIT_USAGE;
}

static int help(int argc, char **argv)
{
    if (argc < 2 || argv[1][0] == '-') {
        return print_help();
    }
    const command *found = find_command(argv[1]);
    if (found == NULL) {
        return unknown_command(argv[1]);
    }
    /* "kith help model import" is "kith model import --help" */
    char *words[4] = { argv[1] };
    int n_words = 1;
    for (int i = 2; i < argc && n_words < 2; i++) {
        words[n_words++] = argv[i];
    }
    words[n_words++] = (char[]){ "--help" };
    return found->run(n_words, words);
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        message("a command is needed; see 'kith help'");
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
        strcmp(argv[1], "-h") == 0) {
        return help(argc - 1, argv + 1);
    }
    if (strcmp(argv[1], "--version") == 0) {
        return print_version();
    }
    const command *found = find_command(argv[1]);
    return found == NULL ? unknown_command(argv[1]) : found->run(argc - 1, argv + 1);
}

/* A standard stream that is closed must not become a file of a collection. Reading and
 * writing the stand-ins fails. */
static void hold_standard_streams(void)
{
    while (true) {
        int fd = open("/dev/null", O_RDONLY);
        if (fd < 0 || fd > STDERR_FILENO) {
            if (fd >= 0) {
                close(fd);
            }
            return;
        }
        if (fd == STDIN_FILENO) {
            close(fd);
            if (open("/dev/null", O_WRONLY) < 0) {
                return;
            }
        }
    }
}

int main(int argc, char **argv)
{
    hold_standard_streams();
    setlocale(LC_CTYPE, "C.UTF-8"); /* for wcwidth(): what we print is UTF-8 */
    faiss_settings_apply();
    signals_handle(SIGNAL_EXITS);
    return output_finish(run(argc, argv));
}
