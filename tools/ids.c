#include "ids.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buffer.h"
#include "cli.h"
#include "text.h"

static const char *working_folder(void)
{
    static char *folder;
    if (folder == NULL) {
        folder = getcwd(NULL, 0);
        folder = folder == NULL ? copy_string("") : folder;
    }
    return folder;
}

kith_text id_shown(kith_text id)
{
    const char *folder = working_folder();
    size_t length = strlen(folder);
    if (length > 1 && id.n_bytes > length + 1 && memcmp(id.data, folder, length) == 0 &&
        id.data[length] == '/') {
        return (kith_text){ id.data + length + 1, id.n_bytes - length - 1 };
    }
    return id;
}

static char *join_folder(const char *written)
{
    const char *folder = working_folder();
    if (written[0] == '\0' || written[0] == '/' || folder[0] == '\0') {
        return NULL;
    }
    while (strncmp(written, "./", 2) == 0) {
        written += 2;
    }
    return format_string("%s/%s", folder, written);
}

/* A record that cannot be read is one that is there: whoever needs it will tell. */
static bool is_there(kith_collection *collection, const char *id)
{
    kith_records *records = NULL;
    kith_status status = kith_record_get(collection, text_of(id), &records, NULL);
    if (status == KITH_OK) {
        kith_records_free(records);
    }
    return status != KITH_NOT_FOUND;
}

char *id_find(kith_collection *collection, const char *written)
{
    if (is_there(collection, written)) {
        return copy_string(written);
    }
    char *joined = join_folder(written);
    if (joined != NULL && is_there(collection, joined)) {
        return joined;
    }
    free(joined);
    message("there is no record %s", written);
    return NULL;
}
