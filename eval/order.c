#include "order.h"

#include <stdlib.h>

typedef struct placed {
    double value;
    size_t place;
} placed;

static int descending(const void *a, const void *b)
{
    const placed *x = a;
    const placed *y = b;
    if (x->value < y->value || x->value > y->value) {
        return x->value < y->value ? 1 : -1;
    }
    return (x->place > y->place) - (x->place < y->place);
}

bool keval_order_descending(const double *values, size_t n, size_t *order)
{
    placed *items = calloc(n + 1, sizeof(items[0]));
    if (items == NULL) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        items[i] = (placed){ values[i], i };
    }
    qsort(items, n, sizeof(items[0]), descending);
    for (size_t i = 0; i < n; i++) {
        order[i] = items[i].place;
    }
    free(items);
    return true;
}
