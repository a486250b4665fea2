/* Settings for what FAISS runs on. */
#ifndef KITH_TOOLS_FAISS_SETTINGS_H
#define KITH_TOOLS_FAISS_SETTINGS_H

/* Tell OpenBLAS and OpenMP, which read it when libkith-faiss.so is first loaded; what
 * the user has set stays. OpenBLAS 0.3.21 takes newer CPUs for ancient ones and is then
 * several times slower: the core is named. Before any thread is started. */
void faiss_settings_apply(void);

#endif
