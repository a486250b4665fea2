/* How the texts of a group are shared out to the threads. */
#ifndef KENC_TILES_H
#define KENC_TILES_H

#include "forward.h"

/* Cut a group of texts, n_ids tokens in all, into tiles of whole texts, as many for each of
 * n_workers, so that all end at about the same time: starts[i] is the first text of tile i,
 * and behind the last there is n_texts (room for n_texts + 1). Returns how many;
 * *largest: the tokens of the largest. */
size_t kenc_cut_tiles(const kenc_sequence *sequences, size_t n_texts, size_t n_ids,
                      size_t n_workers, size_t *starts, size_t *largest);

#endif
