#include "faiss_settings.h"

#include <stdlib.h>
#include <string.h>

#include "kith.h"

void faiss_settings_apply(void)
{
    const char *kernels = kith_kernels();
    if (strstr(kernels, "avx2") != NULL) {
        setenv("OPENBLAS_CORETYPE",
               strstr(kernels, "avx512") != NULL ? "SkylakeX" : "Haswell", 0);
    }
    /* Threads that spin while they wait for each other take a build on a busy machine
     * several times as long. */
    setenv("OMP_WAIT_POLICY", "passive", 0);
}
