/* 32 registers of 16 numbers. */
#define TILE_QUERIES 8
#define CODE_QUERIES 8
#define CODE_PANELS 3
#include "kernels/codes.h"
#include "kernels/score.h"

const kidx_kernels kidx_kernels_avx512vnni = KERNELS;
