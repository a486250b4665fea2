/* The linear layers of the int8 pass, and the byte products that attention shares with
 * them, for int8_steps.h. TILE8_ROWS x TILE8_PANELS is the tile of the products in
 * vector registers; LINEAR8_IN_TILES gives the linear layers to the tiles of AMX. Sums of
 * products are exact, so neither can change a bit. */
#ifndef KENC_KERNELS_LINEAR8_STEPS_H
#define KENC_KERNELS_LINEAR8_STEPS_H

#include "forward_kernels.h"
#include "simd/dot8.h"
#if defined(LINEAR8_IN_TILES)
#include "simd/tile8.h"
#endif

/* Loops over a tile: unrolled, so that its sums stay in registers. */
#define UNROLL _Pragma("GCC unroll 8")

/* sum[i][j] = the products of row i of `a` with panel j of `w`, over k columns. `rows`
 * and `panels` are constants at every call. */
KV_INLINE void sum_products(const uint8_t *a, size_t lda, const int8_t *w,
                            size_t panel_bytes, size_t k,
                            kv16i sum[TILE8_ROWS][TILE8_PANELS], const size_t rows,
                            const size_t panels)
{
    UNROLL
    for (size_t i = 0; i < rows; i++) {
        UNROLL
        for (size_t j = 0; j < panels; j++) {
            sum[i][j] = kvi_set1(0);
        }
    }
    for (size_t c = 0; c < k; c += 4) {
        kd_weights b[TILE8_PANELS];
        UNROLL
        for (size_t j = 0; j < panels; j++) {
            b[j] = kd_load(w + j * panel_bytes + c * KENC_PANEL);
        }
        UNROLL
        for (size_t i = 0; i < rows; i++) {
            kd_bytes x = kd_broadcast(a + i * lda + c);
            UNROLL
            for (size_t j = 0; j < panels; j++) {
                sum[i][j] = kd_dot(sum[i][j], x, b[j]);
            }
        }
    }
}

/* ------------------------------------------------------------------ linear layers
 * One pass makes the integer products of one group of columns for some columns of the
 * output, block by block of rows, and finishes each block in floats. */

/* What a pass works on. */
typedef struct product8 {
    const kenc_bytes *a;
    const kenc_linear8 *w;
    size_t group;
    size_t first; /* the panel of w that is panel 0 of out */
    float *out;
    size_t ldo;
    const int8_t *next; /* weights of the next pass */
} product8;

KV_INLINE const uint8_t *bytes_of_row(const product8 *p, size_t row)
{
    return p->a->bytes + row * p->a->ld + p->group * p->a->group;
}

KV_INLINE const int8_t *weights_of_panel(const product8 *p, size_t panel)
{
    const size_t panel_bytes = p->w->k * KENC_PANEL;
    return p->w->w + (p->first + panel) * panel_bytes +
           p->group * p->a->group * KENC_PANEL;
}

/* What the sums of a tile mean goes to `out`, where it joins that of the groups before.
 * Of a byte b * w the sum is low * (sum of w) + step * (sum of b * w), and `scale` is left
 * to the end. All loads stand before the stores, which might alias them. */
KV_INLINE void finish8(const product8 *p, size_t row, size_t panel,
                       kv16i (*sum)[TILE8_PANELS], const size_t rows,
                       const size_t panels, const bool is_first, const bool is_last)
{
    const size_t n = (p->first + panel) * KENC_PANEL;
    kv16 sums[TILE8_PANELS], scale[TILE8_PANELS], bias[TILE8_PANELS];
    UNROLL
    for (size_t j = 0; j < panels; j++) {
        sums[j] = kv_load(p->w->sums + p->group * p->w->n + n + j * KENC_PANEL);
        scale[j] = kv_load(p->w->scale + n + j * KENC_PANEL);
        bias[j] = kv_load(p->w->bias + n + j * KENC_PANEL);
    }
    UNROLL
    for (size_t i = 0; i < rows; i++) {
        const kenc_range *range = p->a->ranges + (row + i) * p->a->n_groups + p->group;
        float *out = p->out + (row + i) * p->ldo + panel * KENC_PANEL;
        kv16 step = kv_set1(range->scale);
        kv16 low = kv_set1(range->low);
        UNROLL
        for (size_t j = 0; j < panels; j++) {
            kv16 v = is_first ? kv_mul(low, sums[j])
                              : kv_fma(low, sums[j], kv_load(out + j * KENC_PANEL));
            v = kv_fma(kv_from_int(sum[i][j]), step, v);
            kv_store(out + j * KENC_PANEL, is_last ? kv_fma(v, scale[j], bias[j]) : v);
        }
    }
}

KV_INLINE void finish_tile8(const product8 *p, size_t row, size_t panel,
                            kv16i (*sum)[TILE8_PANELS], const size_t rows,
                            const size_t panels)
{
    const bool is_last = p->group + 1 == p->a->n_groups;
    if (p->group == 0 && is_last) {
        finish8(p, row, panel, sum, rows, panels, true, true);
    } else if (p->group == 0) {
        finish8(p, row, panel, sum, rows, panels, true, false);
    } else if (is_last) {
        finish8(p, row, panel, sum, rows, panels, false, true);
    } else {
        finish8(p, row, panel, sum, rows, panels, false, false);
    }
}

/* Ask for the part of the next pass's weights that falls to tile `index` of n_tiles: the
 * weights of a pass are read once, and few at a time, so that the caches of the CPU notice
 * the pattern late. */
KV_INLINE void prefetch8(const product8 *p, size_t index, size_t n_tiles,
                         const size_t panels)
{
    const size_t n_lines = p->a->group * KENC_PANEL / 64;
    const size_t share = (n_lines + n_tiles - 1) / n_tiles;
    for (size_t line = index * share; line < n_lines && line < (index + 1) * share; line++) {
        UNROLL
        for (size_t j = 0; j < panels; j++) {
            __builtin_prefetch(p->next + j * p->w->k * KENC_PANEL + line * 64);
        }
    }
}

#if defined(LINEAR8_IN_TILES)

/* ------------------------------------------------------------------ in tiles of AMX
 * Tiles 0 to 3 hold the sums of a block of 32 rows and 2 panels, 4 and 5 its rows, 6 and
 * 7 weights. A matrix of fewer rows has tiles of fewer. In others the last block is full,
 * too: it reaches back over rows that are done and finishes its new ones only. */

#define BLOCK8_ROWS (2 * KT_ROWS)

_Static_assert(KENC_PAD % KT_ROW_BYTES == 0, "a group of columns is whole tiles");
_Static_assert(TILE8_PANELS == 2 && 4 * KENC_PANEL == KT_ROW_BYTES, "as the tiles are");

KV_INLINE void begin_products(size_t m)
{
    const uint8_t upper = (uint8_t)(m < KT_ROWS ? m : KT_ROWS);
    const uint8_t lower =
        (uint8_t)(m > KT_ROWS && m < BLOCK8_ROWS ? m - KT_ROWS : KT_ROWS);
    kt_configure((const uint8_t[KT_TILES]){ upper, upper, lower, lower, upper, lower,
                                            KT_ROWS, KT_ROWS });
}

KV_INLINE void end_products(void)
{
    kt_release();
}

/* As sum_products(), for 1 or 2 tiles of rows. */
KV_INLINE void sum_products_in_tiles(const uint8_t *a, size_t lda, const int8_t *w,
                                     size_t panel_bytes, size_t k,
                                     kv16i sum[BLOCK8_ROWS][TILE8_PANELS],
                                     const size_t row_tiles, const size_t panels)
{
    kt_zero(0);
    kt_zero(1);
    kt_zero(2);
    kt_zero(3);
    for (size_t c = 0; c < k; c += KT_ROW_BYTES) {
        kt_load(4, a + c, lda);
        kt_load(6, w + c * KENC_PANEL, KT_ROW_BYTES);
        kt_dot(0, 4, 6);
        if (row_tiles > 1) {
            kt_load(5, a + KT_ROWS * lda + c, lda);
            kt_dot(2, 5, 6);
        }
        if (panels > 1) {
            kt_load(7, w + panel_bytes + c * KENC_PANEL, KT_ROW_BYTES);
            kt_dot(1, 4, 7);
        }
        if (row_tiles > 1 && panels > 1) {
            kt_dot(3, 5, 7);
        }
    }
    kt_store(0, &sum[0][0], sizeof(sum[0]));
    if (panels > 1) {
        kt_store(1, &sum[0][1], sizeof(sum[0]));
    }
    if (row_tiles > 1) {
        kt_store(2, &sum[KT_ROWS][0], sizeof(sum[0]));
    }
    if (row_tiles > 1 && panels > 1) {
        kt_store(3, &sum[KT_ROWS][1], sizeof(sum[0]));
    }
}

KV_INLINE void tile8(const product8 *p, size_t m, size_t row, size_t panel,
                     const size_t row_tiles, const size_t panels)
{
    kv16i sum[BLOCK8_ROWS][TILE8_PANELS];
    const size_t rows = m - row < BLOCK8_ROWS ? m - row : BLOCK8_ROWS;
    const size_t span = row_tiles * KT_ROWS;
    const size_t first = rows < span && row > 0 ? m - span : row;
    sum_products_in_tiles(bytes_of_row(p, first), p->a->ld, weights_of_panel(p, panel),
                          p->w->k * KENC_PANEL, p->a->group, sum, row_tiles, panels);
    finish_tile8(p, row, panel, sum + (row - first), rows, panels);
}

KV_INLINE void tile8_column(const product8 *p, size_t m, size_t panel,
                            const size_t panels)
{
    const size_t n_blocks = (m + BLOCK8_ROWS - 1) / BLOCK8_ROWS;
    for (size_t row = 0; row < m; row += BLOCK8_ROWS) {
        prefetch8(p, row / BLOCK8_ROWS, n_blocks, panels);
        if (m - row > KT_ROWS) {
            tile8(p, m, row, panel, 2, panels);
        } else {
            tile8(p, m, row, panel, 1, panels);
        }
    }
}

#else

/* ------------------------------------------------------------------ in vectors */

KV_INLINE void begin_products(size_t m)
{
    (void)m;
}

KV_INLINE void end_products(void)
{
}

KV_INLINE void tile8(const product8 *p, size_t row, size_t panel, const size_t rows,
                     const size_t panels)
{
    kv16i sum[TILE8_ROWS][TILE8_PANELS];
    sum_products(bytes_of_row(p, row), p->a->ld, weights_of_panel(p, panel),
                 p->w->k * KENC_PANEL, p->a->group, sum, rows, panels);
    finish_tile8(p, row, panel, sum, rows, panels);
}

KV_INLINE void tile8_column(const product8 *p, size_t m, size_t panel, const size_t panels)
{
    const size_t n_tiles = (m + TILE8_ROWS - 1) / TILE8_ROWS;
    size_t row = 0;
    for (; row + TILE8_ROWS <= m; row += TILE8_ROWS) {
        prefetch8(p, row / TILE8_ROWS, n_tiles, panels);
        tile8(p, row, panel, TILE8_ROWS, panels);
    }
    if (row < m) {
        prefetch8(p, n_tiles - 1, n_tiles, panels);
    }
#if TILE8_ROWS > 4
    if (row + 4 <= m) {
        tile8(p, row, panel, 4, panels);
        row += 4;
    }
#endif
    if (row + 2 <= m) {
        tile8(p, row, panel, 2, panels);
        row += 2;
    }
    for (; row < m; row++) {
        tile8(p, row, panel, 1, panels);
    }
}

#endif

/* ------------------------------------------------------------------ in both */

/* All groups of the input for some columns of the output, whose sums wait in `out`. */
KV_INLINE void tile8_groups(product8 p, size_t m, size_t panel, const size_t panels)
{
    const size_t panel_bytes = p.w->k * KENC_PANEL;
    const size_t group_bytes = p.a->group * KENC_PANEL;
    const int8_t *w = p.w->w + (p.first + panel) * panel_bytes;
    for (p.group = 0; p.group < p.a->n_groups; p.group++) {
        p.next = p.group + 1 < p.a->n_groups ? w + (p.group + 1) * group_bytes
                                             : w + panels * panel_bytes;
        tile8_column(&p, m, panel, panels);
    }
}

static void linear8(const kenc_bytes *a, size_t m, const kenc_linear8 *w, size_t column,
                    size_t n, float *out, size_t ldo)
{
    const product8 p = { a, w, 0, column / KENC_PANEL, out, ldo, NULL };
    const size_t n_panels = n / KENC_PANEL;
    size_t panel = 0;
    begin_products(m);
    for (; panel + TILE8_PANELS <= n_panels; panel += TILE8_PANELS) {
        tile8_groups(p, m, panel, TILE8_PANELS);
    }
#if TILE8_PANELS > 1
    for (; panel < n_panels; panel++) {
        tile8_groups(p, m, panel, 1);
    }
#endif
    end_products();
}

#endif
