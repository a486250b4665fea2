/* What this CPU offers, for --version and for OpenBLAS. */
#ifndef KITH_TOOLS_HOST_CPU_H
#define KITH_TOOLS_HOST_CPU_H

/* The sets of kernels that run here, for example "portable avx2"; "none" on a CPU that
 * is not supported. */
const char *cpu_kernels(void);

/* OpenBLAS 0.3.21 takes newer CPUs for ancient ones and is then several times slower:
 * name the core, unless the user has. It reads that when libkith-faiss.so is first
 * loaded. */
void cpu_tell_openblas(void);

#endif
