/* How many operations this machine does in a second, fp32 and int8: the limits that
 * bench/encode compares with.
 *
 *   peak THREADS SECONDS
 *
 * Runs multiply-adds on registers alone, on every instruction set that the CPU has, and
 * prints one line each: precision, name, threads, 10^9 operations a second. A multiply
 * and an addition count as two operations.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

/* Assemblers older than these headers do not know the instructions. */
#if defined(__x86_64__) && __has_include(<avxvnniintrin.h>)
#define HAS_AVXVNNI
#endif
#if defined(__x86_64__) && __has_include(<amxint8intrin.h>)
#define HAS_AMX
#endif

enum {
    ROUNDS = 1 << 16,
    /* Independent sums: more than latency (4 or 5 cycles) times ports (2); with two
     * operands and a product they still fit the 16 registers of AVX2. */
    CHAINS = 12,
    MAX_THREADS = 1024
};

/* Volatile, so that nothing is computed at compile time. */
static volatile float factor = 0.999F;
static volatile float addend = 0.001F;
static volatile int32_t bytes_of_one = 0x01010101;
static volatile int32_t words_of_one = 0x00010001;
static volatile float sink;

/* One call is ROUNDS * CHAINS steps. STEP(type, sum) adds to the vector `sum` what it
 * makes of the vectors m and c. */
#define DEFINE_KERNEL(name, element, n_bytes, m_value, c_value, STEP, ...)             \
    typedef element name##_vec __attribute__((vector_size(n_bytes)));                  \
    __VA_ARGS__ static void name(void)                                                 \
    {                                                                                  \
        const name##_vec m = (name##_vec){0} + m_value;                                \
        const name##_vec c = (name##_vec){0} + c_value;                                \
        name##_vec a0 = c, a1 = c, a2 = c, a3 = c, a4 = c, a5 = c;                     \
        name##_vec a6 = c, a7 = c, a8 = c, a9 = c, a10 = c, a11 = c;                   \
        for (int i = 0; i < ROUNDS; i++) {                                             \
            STEP(name##_vec, a0) STEP(name##_vec, a1) STEP(name##_vec, a2)             \
            STEP(name##_vec, a3) STEP(name##_vec, a4) STEP(name##_vec, a5)             \
            STEP(name##_vec, a6) STEP(name##_vec, a7) STEP(name##_vec, a8)             \
            STEP(name##_vec, a9) STEP(name##_vec, a10) STEP(name##_vec, a11)           \
        }                                                                              \
        sink = (float)(a0[0] + a1[0] + a2[0] + a3[0] + a4[0] + a5[0] + a6[0] + a7[0] + \
                       a8[0] + a9[0] + a10[0] + a11[0]);                               \
    }

/* The compiler contracts it, since it is told which instruction set it may use; the asm
 * keeps the chains apart: equal ones would be computed once. */
#define FMA_STEP(type, sum)                                                            \
    sum = sum * m + c;                                                                 \
    __asm__ volatile("" : KEEP(sum));

/* int8 without VNNI, as libraries do it: bytes to words, words to sums. */
#define WIDEN_STEP(type, sum)                                                          \
    {                                                                                  \
        type product;                                                                  \
        __asm__ volatile("vpmaddubsw %2, %2, %1\n\t"                                   \
                         "vpmaddwd %3, %1, %1\n\t"                                     \
                         "vpaddd %1, %0, %0"                                           \
                         : "+v"(sum), "=&v"(product)                                   \
                         : "v"(m), "v"(c));                                            \
    }

#define VNNI_STEP(type, sum)                                                           \
    __asm__ volatile("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(m), "v"(c));

#define VEX_VNNI_STEP(type, sum)                                                       \
    __asm__ volatile("%{vex%} vpdpbusd %2, %1, %0"                                     \
                     : "+x"(sum)                                                       \
                     : "x"(m), "x"(c));

#if defined(__x86_64__)
#define KEEP(x) "+v"(x)
DEFINE_KERNEL(fp32_avx2, float, 32, factor, addend, FMA_STEP,
              __attribute__((target("avx2,fma"))))
DEFINE_KERNEL(fp32_avx512, float, 64, factor, addend, FMA_STEP,
              __attribute__((target("avx512f"))))
DEFINE_KERNEL(int8_avx2, int32_t, 32, bytes_of_one, words_of_one, WIDEN_STEP,
              __attribute__((target("avx2"))))
DEFINE_KERNEL(int8_avx512, int32_t, 64, bytes_of_one, words_of_one, WIDEN_STEP,
              __attribute__((target("avx512f"))))
DEFINE_KERNEL(int8_avx512vnni, int32_t, 64, bytes_of_one, bytes_of_one, VNNI_STEP,
              __attribute__((target("avx512f"))))
#ifdef HAS_AVXVNNI
DEFINE_KERNEL(int8_avxvnni, int32_t, 32, bytes_of_one, bytes_of_one, VEX_VNNI_STEP,
              __attribute__((target("avx2"))))
#endif
#elif defined(__aarch64__)
#define KEEP(x) "+w"(x)
DEFINE_KERNEL(fp32_neon, float, 16, factor, addend, FMA_STEP, )
#else
#error "kith supports x86-64 and aarch64"
#endif

#ifdef HAS_AMX
enum {
    TILES = 6,                   /* sums; two more tiles are the operands */
    TILE_ROUNDS = ROUNDS / 16,   /* an instruction takes 16 cycles */
    TILE_STEP = 16 * 16 * 64 * 2 /* operations */
};

typedef struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_config;

static void int8_amx(void)
{
    tile_config config = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        config.row_bytes[i] = 64;
        config.rows[i] = 16;
    }
    __asm__ volatile("ldtilecfg %0" : : "m"(config));
    __asm__ volatile("tilezero %tmm0\n\ttilezero %tmm1\n\ttilezero %tmm2\n\t"
                     "tilezero %tmm3\n\ttilezero %tmm4\n\ttilezero %tmm5\n\t"
                     "tilezero %tmm6\n\ttilezero %tmm7");
    for (int i = 0; i < TILE_ROUNDS; i++) {
        __asm__ volatile("tdpbusd %tmm7, %tmm6, %tmm0\n\t"
                         "tdpbusd %tmm7, %tmm6, %tmm1\n\t"
                         "tdpbusd %tmm7, %tmm6, %tmm2\n\t"
                         "tdpbusd %tmm7, %tmm6, %tmm3\n\t"
                         "tdpbusd %tmm7, %tmm6, %tmm4\n\t"
                         "tdpbusd %tmm7, %tmm6, %tmm5");
    }
    __asm__ volatile("tilerelease");
}

/* Asks the system for the tiles, which it grants to the whole process. */
static bool has_amx(void)
{
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XTILEDATA = 18 };
    unsigned a, b, c, d;
    if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_OSXSAVE) == 0) {
        return false;
    }
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d >> 24 & 3) != 3) {
        return false; /* no amx-tile or no amx-int8 */
    }
    __asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
    return (a >> 17 & 3) == 3 &&
           syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XTILEDATA) == 0;
}
#endif

#ifdef HAS_AVXVNNI
/* gcc 12 does not know the name. */
static bool has_avxvnni(void)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a >> 4 & 1) == 1;
}
#endif

typedef struct {
    void (*kernel)(void);
    double seconds;
    double calls_per_second; /* out */
} worker;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *work(void *arg)
{
    worker *w = arg;
    const double start = now();
    double elapsed;
    long calls = 0;
    do {
        w->kernel();
        calls++;
        elapsed = now() - start;
    } while (elapsed < w->seconds);
    w->calls_per_second = (double)calls / elapsed;
    return NULL;
}

static int n_threads;
static double seconds;

/* operations: of one call of the kernel */
static void measure(const char *name, void (*kernel)(void), double operations)
{
    pthread_t threads[MAX_THREADS];
    worker workers[MAX_THREADS];
    for (int i = 0; i < n_threads; i++) {
        workers[i] = (worker){.kernel = kernel, .seconds = seconds};
        if (pthread_create(&threads[i], NULL, work, &workers[i]) != 0) {
            fprintf(stderr, "peak: cannot start thread %d\n", i + 1);
            exit(1);
        }
    }
    double calls = 0;
    for (int i = 0; i < n_threads; i++) {
        pthread_join(threads[i], NULL);
        calls += workers[i].calls_per_second;
    }
    printf("%s %d %.1f\n", name, n_threads, 1e-9 * calls * operations);
}

static void measure_vectors(const char *name, void (*kernel)(void), int n_products)
{
    measure(name, kernel, 2.0 * ROUNDS * CHAINS * n_products);
}

int main(int argc, char **argv)
{
    n_threads = argc == 3 ? atoi(argv[1]) : 0;
    seconds = argc == 3 ? atof(argv[2]) : 0;
    if (n_threads < 1 || n_threads > MAX_THREADS || !(seconds > 0)) {
        fprintf(stderr, "usage: peak THREADS SECONDS\n");
        return 2;
    }
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        measure_vectors("fp32 avx2", fp32_avx2, 8);
        measure_vectors("int8 avx2", int8_avx2, 32);
    }
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")) {
        measure_vectors("fp32 avx512", fp32_avx512, 16);
        measure_vectors("int8 avx512", int8_avx512, 64);
    }
#ifdef HAS_AVXVNNI
    if (__builtin_cpu_supports("avx2") && has_avxvnni()) {
        measure_vectors("int8 avxvnni", int8_avxvnni, 32);
    }
#endif
    if (__builtin_cpu_supports("avx512vnni")) {
        measure_vectors("int8 avx512vnni", int8_avx512vnni, 64);
    }
#ifdef HAS_AMX
    if (has_amx()) {
        measure("int8 amx", int8_amx, (double)TILE_ROUNDS * TILES * TILE_STEP);
    }
#endif
#else
    measure_vectors("fp32 neon", fp32_neon, 4);
#endif
    return 0;
}
