/* What this CPU offers, and the floating point environment that our numerics need. */
#ifndef KBASE_CPU_H
#define KBASE_CPU_H

#include "kith.h"

/* Kernel sets, in ascending order of preference. */
typedef enum kbase_isa {
    KBASE_ISA_PORTABLE = 0,
    KBASE_ISA_AVX2 = 1,
    KBASE_ISA_AVXVNNI = 2,
    KBASE_ISA_AVX512 = 3,
    KBASE_ISA_AVX512VNNI = 4,
    KBASE_ISA_AMX = 5,
    KBASE_ISA_COUNT
} kbase_isa;

/* Such as "avx2"; the names are those that kbase_isa_choose() takes. */
const char *kbase_isa_name(kbase_isa isa);

/* The kernel set for `name`, or the best one for NULL. KITH_UNSUPPORTED when this CPU (or
 * system) lacks it or lacks our minimum; KITH_INVALID when there is no such set. */
kith_status kbase_isa_choose(const char *name, kbase_isa *isa, kith_error *err);

/* Round to nearest even, denormals kept, exceptions masked: a host program may have set
 * something else. Enter returns the former state for leave. */
unsigned kbase_fpenv_enter(void);
void kbase_fpenv_leave(unsigned former);

#endif
