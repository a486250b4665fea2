/* Tiles of AMX: eight registers, 0 to 7, of up to 16 rows of 64 bytes, and products of
 * unsigned and signed bytes between them, summed exactly in 32 bits. For files that are
 * compiled with AMX; a tile's number is a literal, since it is part of the instruction.
 *
 * The prefix kt_ stands for kbase's tiles. */
#ifndef KBASE_TILE8_H
#define KBASE_TILE8_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define KT_TILES 8
#define KT_ROWS 16
#define KT_ROW_BYTES 64

/* Tile i has rows[i] rows of 64 bytes, 1 to 16. What kt_load() reads is to be written
 * before, since gcc 12 does not know that it reads. kt_release() undoes it: until then
 * the system has 8 KiB more to save whenever it puts the thread aside. */
static inline void kt_configure(const uint8_t rows[KT_TILES])
{
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } config = { .palette = 1 };
    for (size_t i = 0; i < KT_TILES; i++) {
        config.row_bytes[i] = KT_ROW_BYTES;
        config.rows[i] = rows[i];
    }
    /* gcc 12 believes that the instruction reads 8 bytes, and drops other stores. */
    __asm__ volatile("" : : "r"(&config) : "memory");
    _tile_loadconfig(&config);
}
#define kt_release() _tile_release()

#define kt_zero(tile) _tile_zero(tile)
/* Rows of a tile lie `stride` bytes apart in memory. */
#define kt_load(tile, from, stride) _tile_loadd(tile, from, stride)
#define kt_store(tile, to, stride) _tile_stored(tile, to, stride)
/* sum[i][j] += sum over k < 16, b < 4 of bytes[i][4 k + b] * weights[k][4 j + b]. */
#define kt_dot(sum, bytes, weights) _tile_dpbusd(sum, bytes, weights)

#endif
