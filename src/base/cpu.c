#include "cpu.h"

#include <string.h>

#include "error.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

static const char *const names[KBASE_ISA_COUNT] = { "portable", "avx2", "avxvnni", "avx512",
                                                   "avx512vnni" };

const char *kbase_isa_name(kbase_isa isa)
{
    return names[isa];
}

#if defined(__x86_64__)

/* clang 14 does not know the name "f16c". */
static bool has_f16c(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}

static bool has_minimum(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
}

/* Nor do gcc 12 and clang 14 know "avxvnni": CPUID.7.1:EAX bit 4. Its registers are those
 * of AVX2, which the system is asked about. */
static bool has_avxvnni(void)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a & 16) != 0;
}

static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

static bool is_supported(kbase_isa isa)
{
    switch (isa) {
    case KBASE_ISA_PORTABLE:
    case KBASE_ISA_AVX2:
        return has_minimum();
    case KBASE_ISA_AVXVNNI:
        return has_minimum() && has_avxvnni();
    case KBASE_ISA_AVX512:
        return has_minimum() && has_avx512();
    case KBASE_ISA_AVX512VNNI:
        return has_minimum() && has_avx512() && __builtin_cpu_supports("avx512vnni");
    case KBASE_ISA_COUNT:
        break;
    }
    return false;
}

#define MINIMUM "x86-64 with AVX2, FMA and F16C"

#else

static bool is_supported(kbase_isa isa)
{
    return isa == KBASE_ISA_PORTABLE;
}

#define MINIMUM "aarch64"

#endif

kith_status kbase_isa_choose(const char *name, kbase_isa *isa, kith_error *err)
{
    if (!is_supported(KBASE_ISA_PORTABLE)) {
        return kbase_fail(err, KITH_UNSUPPORTED, "this CPU is not supported: kith needs %s",
                          MINIMUM);
    }
    for (int i = KBASE_ISA_COUNT - 1; i >= 0; i--) {
        if (name == NULL ? is_supported((kbase_isa)i) : strcmp(name, names[i]) == 0) {
            *isa = (kbase_isa)i;
            return is_supported(*isa)
                       ? KITH_OK
                       : kbase_fail(err, KITH_UNSUPPORTED,
                                    "this CPU has no %s: choose other kernels", name);
        }
    }
    return kbase_fail(err, KITH_INVALID,
                      "no kernels named \"%s\": there are portable, avx2, avxvnni, avx512 "
                      "and avx512vnni",
                      name == NULL ? "" : name);
}

#if defined(__x86_64__)

#define MXCSR_DEFAULT 0x1f80u /* all exceptions masked, round to nearest, no FTZ or DAZ */

unsigned kbase_fpenv_enter(void)
{
    unsigned former = _mm_getcsr();
    _mm_setcsr(MXCSR_DEFAULT);
    return former;
}

void kbase_fpenv_leave(unsigned former)
{
    _mm_setcsr(former);
}

#elif defined(__aarch64__)

unsigned kbase_fpenv_enter(void)
{
    uint64_t former;
    __asm__ volatile("mrs %0, fpcr" : "=r"(former));
    __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)0));
    return (unsigned)former;
}

void kbase_fpenv_leave(unsigned former)
{
    __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)former));
}

#endif
