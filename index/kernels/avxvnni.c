/* 16 registers of 8 numbers, two a sum. */
#define TILE_QUERIES 4
#define CODE_QUERIES 4
#define CODE_PANELS 1
#include "kernels/codes.h"
#include "kernels/score.h"

const kidx_kernels kidx_kernels_avxvnni = KERNELS;
