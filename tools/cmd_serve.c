/* kith serve: collections and a model, over HTTP. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "server.h"

#define DEFAULT_PORT 5484 /* "kith" on the keys of a telephone */
#define PORT_NOT_GIVEN UINT32_MAX

typedef struct serve_run {
    /* options */
    model_request model;
    uint32_t port;
    const char *address;
    const char *socket;
    option_texts names;
    const char *key_file;
    bool is_writable;
    /* what is worked on */
    char *key;
    listener_opts listen;
    access_rules rules;
    service service;
} serve_run;

/* Each gives GO_ON, or reports and gives an exit status. */

static int read_key(serve_run *run)
{
    static const char variable[] = "KITH_API_KEY";
    const char *key = getenv(variable);
    if (run->key_file != NULL) {
        run->key = access_read_key(run->key_file);
        run->rules.key = run->key;
        return run->key == NULL ? EXIT_ENVIRONMENT : GO_ON;
    }
    if (key == NULL || key[0] == '\0') {
        return GO_ON;
    }
    run->rules.key = key;
    return access_check_new_key(variable, key) ? GO_ON : EXIT_ENVIRONMENT;
}

static int check_address(const usage *use, serve_run *run)
{
    bool is_loopback = true;
    bool is_any = false;
    if (run->address != NULL &&
        !listeners_check_address(run->address, &is_loopback, &is_any)) {
        return usage_error(use, "--host takes a numeric address, such as 127.0.0.1");
    }
    if (!is_loopback && run->rules.key == NULL) {
        return usage_error(use, "an address that others reach needs an API key: "
                                "--api-key-file, or KITH_API_KEY");
    }
    run->rules.address = run->address;
    run->rules.any_address = is_any;
    run->rules.names = &run->names;
    return GO_ON;
}

static int check_serve(const usage *use, serve_run *run)
{
    const bool has_port = run->port != PORT_NOT_GIVEN;
    if (has_port && run->port > UINT16_MAX) {
        return usage_error(use, "--port takes 0 to 65535");
    }
    run->listen = (listener_opts){
        .address = run->address,
        .port = (uint16_t)(has_port ? run->port : DEFAULT_PORT),
        .has_tcp = run->socket == NULL || has_port || run->address != NULL,
        .path = run->socket
    };
    const int status = read_key(run);
    return status == GO_ON ? check_address(use, run) : status;
}

static int run_serve(serve_run *run, char **paths, size_t n_paths)
{
    listeners l = LISTENERS_EMPTY;
    server_hold_signals();
    int status = catalog_open(&run->service.catalog, paths, n_paths, &run->model,
                              run->is_writable);
    if (status == EXIT_DONE) {
        status = service_start(&run->service);
    }
    if (status == EXIT_DONE) {
        status = listeners_open(&l, &run->listen);
    }
    if (status == EXIT_DONE) {
        status = server_run(&run->service, &l, &run->rules);
    }
    listeners_close(&l);
    service_end(&run->service);
    return status;
}

int cmd_serve(int argc, char **argv)
{
    serve_run run = { .model = MODEL_REQUEST_INIT, .port = PORT_NOT_GIVEN };
    const option options[] = {
        COUNT(0, "port", "N", &run.port, "of TCP (5484); 0: a free one"),
        TEXT(0, "host", "ADDRESS", &run.address,
             "instead of 127.0.0.1 and ::1; one that others reach\n"
             "needs an API key"),
        TEXT(0, "socket", "PATH", &run.socket,
             "listen on a Unix socket, for this user alone"),
        TEXTS(0, "allow-host", "NAME", &run.names,
              "another name that clients may call this server by;\n"
              "may be given several times"),
        TEXT(0, "api-key-file", "FILE", &run.key_file,
             "its first line is the key that clients need;\n"
             "or KITH_API_KEY in the environment"),
        SWITCH(0, "writable", &run.is_writable, "clients may put and delete records"),
        TEXT(0, "model", "NAME|PATH", &run.model.name,
             "for embeddings, instead of the first collection's"),
        CHOICE(0, "precision", MODEL_PRECISIONS, &run.model.precision,
               "of that model"),
        COUNT(0, "threads", "N", &run.model.n_threads, "0: one a processor"),
        END_OF_OPTIONS
    };
    const usage use = {
        "serve", "[COLLECTION...] [options]",
        "Serve collections and a model over HTTP: an API in the shape of OpenAI's and\n"
        "one of its own, and a page to try them. Without a collection: embeddings and\n"
        "comparisons alone. SIGTERM ends it.",
        options
    };
    int n_arguments;
    int status = options_parse(&use, argc, argv, &n_arguments);
    if (status == GO_ON) {
        status = check_serve(&use, &run);
    }
    if (status == GO_ON) {
        status = run_serve(&run, argv + 1, (size_t)n_arguments);
    }
    free(run.key);
    return status;
}
