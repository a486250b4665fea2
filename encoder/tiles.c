#include "tiles.h"

/* Tokens of a tile: enough that its matrix products run at full speed, few enough that
 * its rows stay in the second-level cache. */
#define TILE_TOKENS 192
#define MIN_TILE_TOKENS 16

static size_t choose_tiles(size_t n_ids, size_t n_workers)
{
    size_t round = n_workers * TILE_TOKENS;
    size_t n_tiles = (n_ids + round - 1) / round * n_workers;
    size_t most = (n_ids + MIN_TILE_TOKENS - 1) / MIN_TILE_TOKENS;
    return n_tiles < most ? n_tiles : most;
}

/* A text belongs to the tile in whose equal share of the tokens its middle lies. */
size_t kenc_cut_tiles(const kenc_sequence *sequences, size_t n_texts, size_t n_ids,
                      size_t n_workers, size_t *starts, size_t *largest)
{
    const size_t n_tiles = choose_tiles(n_ids, n_workers);
    size_t n_cut = 0;
    size_t before = 0; /* tokens of the texts before this one */
    size_t rows = 0;
    size_t last = SIZE_MAX;
    *largest = 0;
    for (size_t i = 0; i < n_texts; i++) {
        size_t n = sequences[i].n_tokens;
        size_t tile = (2 * before + n) * n_tiles / (2 * n_ids);
        if (tile != last) {
            starts[n_cut++] = i;
            rows = 0;
            last = tile;
        }
        before += n;
        rows += n;
        *largest = rows > *largest ? rows : *largest;
    }
    starts[n_cut] = n_texts;
    return n_cut;
}
