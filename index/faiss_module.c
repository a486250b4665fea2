#include "faiss_module.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu.h"
#include "error.h"

#define MODULE "libkith-faiss.so"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static const char *folder_for_tests;
static const kidx_faiss_ops *loaded;

void kidx_faiss_set_folder(const char *folder)
{
    folder_for_tests = folder;
}

/* The path of the module, next to the object that this code is in; free() it. */
static char *module_path(void)
{
    char *path;
    Dl_info here;
    if (folder_for_tests != NULL) {
        return asprintf(&path, "%s/%s", folder_for_tests, MODULE) < 0 ? NULL : path;
    }
    if (dladdr(&mutex, &here) == 0 || here.dli_fname == NULL) {
        return NULL;
    }
    const char *slash = strrchr(here.dli_fname, '/');
    int n = slash != NULL ? (int)(slash - here.dli_fname) : 1;
    const char *folder = slash != NULL ? here.dli_fname : ".";
    return asprintf(&path, "%.*s/%s", n, folder, MODULE) < 0 ? NULL : path;
}

static kith_status load(const char *path, kith_error *err)
{
    kbase_isa isa;
    /* FAISS is built for what kith needs at the least. */
    kith_status status = kbase_isa_choose(NULL, &isa, err);
    if (status != KITH_OK) {
        return status;
    }
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (module == NULL) {
        return kbase_fail(err, KITH_UNSUPPORTED, "no approximate index: %s", dlerror());
    }
    const kidx_faiss_ops *(*get)(void) = NULL;
    void *symbol = dlsym(module, KIDX_FAISS_SYMBOL);
    memcpy(&get, &symbol, sizeof(get));
    if (get == NULL || get()->version != KIDX_FAISS_OPS_VERSION) {
        dlclose(module);
        return kbase_fail(err, KITH_UNSUPPORTED,
                          "no approximate index: %s is not of this build of kith",
                          path);
    }
    loaded = get();
    return KITH_OK;
}

kith_status kidx_faiss_load(const kidx_faiss_ops **ops, kith_error *err)
{
    kith_status status = KITH_OK;
    pthread_mutex_lock(&mutex);
    if (loaded == NULL) {
        char *path = module_path();
        status =
            path != NULL ? load(path, err) : kbase_fail_memory(err, sizeof(MODULE));
        free(path);
    }
    *ops = loaded;
    pthread_mutex_unlock(&mutex);
    return status;
}
