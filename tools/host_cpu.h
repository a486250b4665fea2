/* What this CPU offers, for --version, OpenBLAS and OpenMP. */
#ifndef KITH_TOOLS_HOST_CPU_H
#define KITH_TOOLS_HOST_CPU_H

/* The sets of kernels that run here, for example "portable avx2"; "none" on a CPU that
 * is not supported. */
const char *cpu_kernels(void);

/* Settings for OpenBLAS and OpenMP, which read them when libkith-faiss.so is first
 * loaded; what the user has set stays. OpenBLAS 0.3.21 takes newer CPUs for ancient ones
 * and is then several times slower: the core is named. */
void cpu_tell_libraries(void);

#endif
