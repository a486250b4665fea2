/* How many fp32 operations this machine does in a second: the limit that bench/encode
 * compares with.
 *
 *   peak THREADS SECONDS
 *
 * Runs fused multiply-adds on registers alone, on every instruction set that the CPU
 * has, and prints one line each: name, threads, GFLOP/s. A multiply-add counts as two.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    ROUNDS = 1 << 16,
    /* Independent sums: more than latency (4 or 5 cycles) times ports (2); with the
     * factor and the addend they still fit the 16 registers of AVX2. */
    CHAINS = 12,
    MAX_THREADS = 1024
};

/* Volatile, so that nothing is computed at compile time. */
static volatile float factor = 0.999F;
static volatile float addend = 0.001F;
static volatile float sink;

/* One call is ROUNDS * CHAINS multiply-adds of vectors of `bytes` bytes; the compiler
 * contracts `a * m + c`, since it is told which instruction set it may use. */
#define DEFINE_KERNEL(name, bytes, ...)                                                \
    typedef float name##_vec __attribute__((vector_size(bytes)));                      \
    __VA_ARGS__ static void name##_kernel(void)                                        \
    {                                                                                  \
        const name##_vec m = (name##_vec){0} + factor;                                 \
        const name##_vec c = (name##_vec){0} + addend;                                 \
        name##_vec a0 = c, a1 = c, a2 = c, a3 = c, a4 = c, a5 = c;                     \
        name##_vec a6 = c, a7 = c, a8 = c, a9 = c, a10 = c, a11 = c;                   \
        for (int i = 0; i < ROUNDS; i++) {                                             \
            a0 = a0 * m + c, a1 = a1 * m + c, a2 = a2 * m + c;                         \
            a3 = a3 * m + c, a4 = a4 * m + c, a5 = a5 * m + c;                         \
            a6 = a6 * m + c, a7 = a7 * m + c, a8 = a8 * m + c;                         \
            a9 = a9 * m + c, a10 = a10 * m + c, a11 = a11 * m + c;                     \
            /* Keeps the chains apart: equal ones would be computed once. */           \
            __asm__ volatile("" : KEEP(a0), KEEP(a1), KEEP(a2), KEEP(a3), KEEP(a4),    \
                             KEEP(a5));                                                \
            __asm__ volatile("" : KEEP(a6), KEEP(a7), KEEP(a8), KEEP(a9), KEEP(a10),   \
                             KEEP(a11));                                               \
        }                                                                              \
        sink = a0[0] + a1[0] + a2[0] + a3[0] + a4[0] + a5[0] + a6[0] + a7[0] + a8[0] + \
               a9[0] + a10[0] + a11[0];                                                \
    }

#if defined(__x86_64__)
#define KEEP(x) "+v"(x)
DEFINE_KERNEL(avx2, 32, __attribute__((target("avx2,fma"))))
DEFINE_KERNEL(avx512, 64, __attribute__((target("avx512f"))))
#elif defined(__aarch64__)
#define KEEP(x) "+w"(x)
DEFINE_KERNEL(neon, 16, )
#else
#error "kith supports x86-64 and aarch64"
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

static void measure(const char *name, void (*kernel)(void), size_t n_bytes,
                    int n_threads, double seconds)
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
    const double flop = 2.0 * ROUNDS * CHAINS * (double)(n_bytes / sizeof(float));
    printf("%s %d %.1f\n", name, n_threads, 1e-9 * calls * flop);
}

int main(int argc, char **argv)
{
    const int n_threads = argc == 3 ? atoi(argv[1]) : 0;
    const double seconds = argc == 3 ? atof(argv[2]) : 0;
    if (n_threads < 1 || n_threads > MAX_THREADS || !(seconds > 0)) {
        fprintf(stderr, "usage: peak THREADS SECONDS\n");
        return 2;
    }
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        measure("avx2", avx2_kernel, sizeof(avx2_vec), n_threads, seconds);
    }
    if (__builtin_cpu_supports("avx512f")) {
        measure("avx512", avx512_kernel, sizeof(avx512_vec), n_threads, seconds);
    }
#else
    measure("neon", neon_kernel, sizeof(neon_vec), n_threads, seconds);
#endif
    return 0;
}
