/* Which rows are passages of one record, and which records of several are equal. */
#ifndef KITH_PASSAGE_MAP_H
#define KITH_PASSAGE_MAP_H

#include "pairs.h"
#include "store.h"

typedef struct kith_whole {
    uint64_t hash[2]; /* of the texts of all passages */
    uint32_t row;     /* the lowest */
} kith_whole;

typedef struct kith_passage_map {
    uint32_t *owners; /* [rows]: the lowest row of the record; NULL: there is no map */
    bool *is_part;    /* [rows]: the record has several passages */
    kith_whole *wholes; /* the records of several passages */
    size_t n_wholes;
} kith_passage_map;

/* Reads all records. KITH_CORRUPT, KITH_NOMEM, KITH_IO; *map is to be freed all the
 * same. */
kith_status kith_passage_map_read(const kstore_snapshot *snapshot, uint64_t n_rows,
                                  kith_passage_map *map, kith_error *err);
void kith_passage_map_free(kith_passage_map *map);

/* Add groups of equal records of several passages, so that all are in the order of
 * their first rows. KITH_NOMEM. */
kith_status kith_passage_map_add_equal(kith_passage_map *map, kidx_groups *groups,
                                       kith_error *err);

#endif
