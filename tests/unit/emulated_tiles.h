/* The tile instructions of AMX in C: put before a file of kernels (-include), it takes
 * the place of their intrinsics, so that a CPU without AMX can run the file. It keeps the
 * rules of the instruction set: what would be a fault ends the program, and what an
 * instruction sets to zero is zero. The program defines `tiles`. */
#ifndef KITH_TESTS_EMULATED_TILES_H
#define KITH_TESTS_EMULATED_TILES_H

#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct emulated_tile {
    unsigned rows, row_bytes;
    uint8_t data[16][64];
} emulated_tile;

typedef struct emulated_tiles {
    bool are_configured;
    emulated_tile tile[8];
    size_t n_products; /* instructions since the program began */
} emulated_tiles;

extern emulated_tiles tiles;

static inline void expect_of_tiles(bool is_so, const char *what)
{
    if (!is_so) {
        fprintf(stderr, "AMX fault: %s\n", what);
        abort();
    }
}

static inline emulated_tile *usable_tile(unsigned number)
{
    expect_of_tiles(tiles.are_configured, "tiles are not configured");
    expect_of_tiles(number < 8 && tiles.tile[number].rows > 0, "no such tile");
    return &tiles.tile[number];
}

static inline void emulated_loadconfig(const void *from)
{
    static const uint8_t zeros[16];
    uint8_t config[64];
    memcpy(config, from, sizeof(config));
    expect_of_tiles(config[0] == 1, "another palette");
    expect_of_tiles(memcmp(config + 1, zeros, 15) == 0, "start row or reserved bytes");
    expect_of_tiles(memcmp(config + 32, zeros, 16) == 0, "row bytes behind tile 7");
    expect_of_tiles(memcmp(config + 56, zeros, 8) == 0, "rows behind tile 7");
    for (unsigned i = 0; i < 8; i++) {
        emulated_tile *tile = &tiles.tile[i];
        memset(tile, 0, sizeof(*tile));
        tile->row_bytes = config[16 + 2 * i] + 256u * config[17 + 2 * i];
        tile->rows = config[48 + i];
        expect_of_tiles(tile->rows <= 16 && tile->row_bytes <= 64, "too large a tile");
        expect_of_tiles((tile->rows == 0) == (tile->row_bytes == 0), "half a tile");
    }
    tiles.are_configured = true;
}

static inline void emulated_release(void)
{
    memset(tiles.tile, 0, sizeof(tiles.tile));
    tiles.are_configured = false;
}

static inline void emulated_zero(unsigned number)
{
    emulated_tile *tile = usable_tile(number);
    memset(tile->data, 0, sizeof(tile->data));
}

static inline void emulated_loadd(unsigned number, const void *from, size_t stride)
{
    emulated_tile *tile = usable_tile(number);
    memset(tile->data, 0, sizeof(tile->data));
    for (unsigned i = 0; i < tile->rows; i++) {
        memcpy(tile->data[i], (const uint8_t *)from + i * stride, tile->row_bytes);
    }
}

static inline void emulated_stored(unsigned number, void *to, size_t stride)
{
    const emulated_tile *tile = usable_tile(number);
    for (unsigned i = 0; i < tile->rows; i++) {
        memcpy((uint8_t *)to + i * stride, tile->data[i], tile->row_bytes);
    }
}

static inline void emulated_dpbusd(unsigned to, unsigned bytes, unsigned weights)
{
    emulated_tile *c = usable_tile(to);
    const emulated_tile *a = usable_tile(bytes);
    const emulated_tile *b = usable_tile(weights);
    expect_of_tiles(to != bytes && to != weights && bytes != weights, "the same tile");
    expect_of_tiles(a->row_bytes % 4 == 0 && b->row_bytes % 4 == 0, "part of a number");
    expect_of_tiles(c->rows == a->rows && c->row_bytes == b->row_bytes &&
                        a->row_bytes / 4 == b->rows,
                    "tiles that do not fit together");
    for (unsigned i = 0; i < a->rows; i++) {
        int32_t sum[16];
        memcpy(sum, c->data[i], sizeof(sum));
        for (unsigned k = 0; k < b->rows; k++) {
            for (unsigned j = 0; j < b->row_bytes / 4; j++) {
                for (unsigned n = 0; n < 4; n++) {
                    sum[j] += a->data[i][4 * k + n] * (int8_t)b->data[k][4 * j + n];
                }
            }
        }
        memcpy(c->data[i], sum, sizeof(sum));
    }
    tiles.n_products++;
}

#undef _tile_loadd
#undef _tile_stored
#undef _tile_zero
#undef _tile_dpbusd
#define _tile_loadconfig(from) emulated_loadconfig(from)
#define _tile_release() emulated_release()
#define _tile_zero(tile) emulated_zero(tile)
#define _tile_loadd(tile, from, stride) emulated_loadd(tile, from, stride)
#define _tile_stored(tile, to, stride) emulated_stored(tile, to, stride)
#define _tile_dpbusd(to, bytes, weights) emulated_dpbusd(to, bytes, weights)

#endif
