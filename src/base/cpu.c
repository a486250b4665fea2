#include "cpu.h"

#include <stdio.h>
#include <string.h>

#include "error.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

static const char *const names[KBASE_ISA_COUNT] = { "portable", "avx2",       "avxvnni",
                                                    "avx512",   "avx512vnni", "amx" };

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

static bool has_avx512vnni(void)
{
    return has_avx512() && __builtin_cpu_supports("avx512vnni");
}

/* Tiles of bytes: the CPU has them, and the system saves them and grants them to this
 * process for good. What a tile may hold is asked of nobody: some virtual machines hide
 * those leaves of CPUID, and palette 1 is the same everywhere. To be called where AVX
 * is supported: what that needs, xgetbv needs. */
static bool has_amx(void)
{
    enum {
        EDX_AMX_TILE_INT8 = 3 << 24, /* leaf 7.0 */
        XCR0_TILES = 3 << 17,        /* their configuration and their data */
        REQUEST_PERMISSION = 0x1023, /* ARCH_REQ_XCOMP_PERM */
        TILE_DATA = 18
    };
    unsigned a, b, c, d;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 ||
        (d & EDX_AMX_TILE_INT8) != EDX_AMX_TILE_INT8) {
        return false;
    }
    __asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
    return (a & XCR0_TILES) == XCR0_TILES &&
           syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
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
        return has_minimum() && has_avx512vnni();
    case KBASE_ISA_AMX:
        return has_minimum() && has_avx512vnni() && has_amx();
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

static kith_status refuse(const char *name, kith_error *err)
{
    char known[16 * KBASE_ISA_COUNT] = "";
    size_t n = 0;
    for (int i = 0; i < KBASE_ISA_COUNT; i++) {
        const char *before = i == 0 ? "" : i + 1 < KBASE_ISA_COUNT ? ", " : " and ";
        n += (size_t)snprintf(known + n, sizeof(known) - n, "%s%s", before, names[i]);
    }
    return kbase_fail(err, KITH_INVALID, "no kernels named \"%s\": there are %s", name,
                      known);
}

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
    return refuse(name, err);
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
