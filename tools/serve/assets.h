/* Files that are compiled into the program: embed.py makes them. */
#ifndef KITH_TOOLS_ASSETS_H
#define KITH_TOOLS_ASSETS_H

#include <stddef.h>

extern const unsigned char asset_page[]; /* page.html */
extern const size_t asset_page_size;
extern const unsigned char asset_openapi[]; /* openapi.json */
extern const size_t asset_openapi_size;

#endif
