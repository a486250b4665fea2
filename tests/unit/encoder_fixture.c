#include "encoder_fixture.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *folder;
char *tiny;

int make_folder(void **state)
{
    (void)state;
    folder = make_temp_folder();
    return 0;
}

int make_tiny(void **state)
{
    make_folder(state);
    tiny = import_as(TINY, "tiny");
    return 0;
}

int remove_folder(void **state)
{
    (void)state;
    remove_tree(folder);
    free(tiny);
    free(folder);
    return 0;
}

char *import_as(const char *from, const char *name)
{
    kith_error error;
    char *path = format("%s/%s.kmodel", folder, name);
    assert_ok(kenc_import(from, name, path, NULL, &error));
    return path;
}

kenc_model *open_as(const char *path, kith_precision precision, const char *cpu,
                    unsigned n_threads)
{
    kith_error error;
    kenc_model *model = NULL;
    kith_model_opts opts = KITH_MODEL_OPTS_INIT;
    opts.precision = precision;
    opts.cpu = cpu;
    opts.n_threads = n_threads;
    assert_ok(kenc_model_open(path, &opts, &model, &error));
    return model;
}

kith_status import_altered(const char *model, const char *name, const char *old,
                           const char *new, const kith_model_import_opts *opts,
                           kith_error *error)
{
    char *copy = format("%s/altered", folder);
    char *path = format("%s/%s", copy, name);
    char *out = format("%s/altered.kmodel", folder);
    copy_tree(model, copy);
    if (old == NULL) {
        assert_int_equal(unlink(path), 0);
    } else if (*old == '\0') {
        write_file(path, new, strlen(new));
    } else {
        char *content = read_file(path, NULL);
        char *at = strstr(content, old);
        assert_non_null(at);
        char *altered = format("%.*s%s%s", (int)(at - content), content, new,
                               at + strlen(old));
        write_file(path, altered, strlen(altered));
        free(altered);
        free(content);
    }
    kith_status status = kenc_import(copy, "altered", out, opts, error);
    remove_tree(copy);
    free(out);
    free(path);
    free(copy);
    return status;
}
