/* 32 registers of 16 floats. */
#define TILE_QUERIES 8
#include "kernels/score.h"

const kidx_kernels kidx_kernels_avx512 = KERNELS;
