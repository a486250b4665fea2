/* libkith-faiss.so: found next to the library, loaded when it is first needed. */
#ifndef KIDX_FAISS_MODULE_H
#define KIDX_FAISS_MODULE_H

#include "faiss/ops.h"

/* The module's functions; loads it at the first call. It stays loaded: its threads and
 * the memory that it handed out cannot be taken back. KITH_UNSUPPORTED says why it
 * cannot be used. Thread-safe. */
kith_status kidx_faiss_load(const kidx_faiss_ops **ops, kith_error *err);

/* Where to look instead of next to the library: for a test that is linked statically.
 * Before the first load; the text must live on. */
void kidx_faiss_set_folder(const char *folder);

#endif
