#include "host_cpu.h"

#include <stdbool.h>
#include <stdlib.h>

#if defined(__x86_64__)

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512dq");
}

const char *cpu_kernels(void)
{
    return has_avx512() ? "portable avx2 avx512"
           : has_avx2() ? "portable avx2"
                        : "none";
}

void cpu_tell_libraries(void)
{
    if (has_avx2()) {
        setenv("OPENBLAS_CORETYPE", has_avx512() ? "SkylakeX" : "Haswell", 0);
    }
    /* Threads that spin while they wait for each other take a build on a busy machine
     * several times as long. */
    setenv("OMP_WAIT_POLICY", "passive", 0);
}

#else

const char *cpu_kernels(void)
{
    return "portable";
}

void cpu_tell_libraries(void)
{
}

#endif
