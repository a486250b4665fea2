/* What a collection was made with, as bytes in the database "meta". */
#include "store_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "checksum.h"
#include "error.h"

#define KEY "settings"

#define VERSION_AT 0
#define BYTE_ORDER_AT 4
#define PAGE_BYTES_AT 8
#define DIM_AT 12
#define PRECISION_AT 16
#define IDENTITY_AT 24
#define MODEL_AT 40
#define FINGERPRINT_AT 112
#define CHECKSUM_AT 152
#define SETTINGS_BYTES 160

static bool is_text(const char *data, size_t size)
{
    return memchr(data, '\0', size) != NULL;
}

kith_status kstore_check_settings(const kstore_settings *settings, kith_error *err)
{
    if (settings->dim == 0 || settings->dim > KSTORE_DIM_MAX) {
        return kbase_fail(err, KITH_INVALID,
                          "a vector of %u numbers: 1 to %d are possible", settings->dim,
                          KSTORE_DIM_MAX);
    }
    if (!is_text(settings->model, sizeof(settings->model)) ||
        !is_text(settings->fingerprint, sizeof(settings->fingerprint))) {
        return kbase_fail(
            err, KITH_INVALID,
            "the model's name or fingerprint is too long for a collection");
    }
    return KITH_OK;
}

kith_status kstore_identity_new(unsigned char identity[KSTORE_IDENTITY_BYTES],
                                kith_error *err)
{
    if (getrandom(identity, KSTORE_IDENTITY_BYTES, 0) != KSTORE_IDENTITY_BYTES) {
        return kbase_fail_errno(err, errno, "cannot get random bytes");
    }
    return KITH_OK;
}

kith_status kstore_settings_put(const kstore_snapshot *snapshot, kith_error *err)
{
    const kstore_environment *environment = snapshot->environment;
    const kstore_settings *settings = &environment->settings;
    unsigned char bytes[SETTINGS_BYTES] = { 0 };
    kstore_save32(bytes + VERSION_AT, KSTORE_FORMAT_VERSION);
    kstore_save32(bytes + BYTE_ORDER_AT, KSTORE_BYTE_ORDER);
    kstore_save32(bytes + PAGE_BYTES_AT, (uint32_t)sysconf(_SC_PAGESIZE));
    kstore_save32(bytes + DIM_AT, settings->dim);
    kstore_save32(bytes + PRECISION_AT, settings->precision);
    memcpy(bytes + IDENTITY_AT, environment->identity, KSTORE_IDENTITY_BYTES);
    memcpy(bytes + MODEL_AT, settings->model, strlen(settings->model));
    memcpy(bytes + FINGERPRINT_AT, settings->fingerprint,
           strlen(settings->fingerprint));
    kstore_save64(bytes + CHECKSUM_AT, kbase_hash64(bytes, CHECKSUM_AT));
    return kstore_store(snapshot, KSTORE_META, KEY, sizeof(KEY) - 1, bytes,
                        sizeof(bytes), 0, err);
}

kith_status kstore_settings_get(const kstore_snapshot *snapshot, kith_error *err)
{
    kstore_environment *environment = snapshot->environment;
    MDB_val value = { 0, NULL };
    kith_status status =
        kstore_fetch(snapshot, KSTORE_META, KEY, sizeof(KEY) - 1, &value, err);
    if (status != KITH_OK && status != KITH_NOT_FOUND) {
        return status;
    }
    const unsigned char *bytes = value.mv_data;
    if (value.mv_size >= sizeof(uint32_t) &&
        kstore_load32(bytes + VERSION_AT) != KSTORE_FORMAT_VERSION) {
        return kbase_fail(err, KITH_VERSION,
                          "%s has format version %u, this kith reads version %d",
                          environment->path, kstore_load32(bytes + VERSION_AT),
                          KSTORE_FORMAT_VERSION);
    }
    if (value.mv_size != SETTINGS_BYTES ||
        kstore_load64(bytes + CHECKSUM_AT) != kbase_hash64(bytes, CHECKSUM_AT)) {
        return kbase_fail(err, KITH_CORRUPT,
                          "%s: the settings are damaged; restore it from a backup",
                          environment->path);
    }
    if (kstore_load32(bytes + BYTE_ORDER_AT) != KSTORE_BYTE_ORDER ||
        kstore_load32(bytes + PAGE_BYTES_AT) != (uint32_t)sysconf(_SC_PAGESIZE)) {
        return kbase_fail(err, KITH_VERSION,
                          "%s was made on another kind of machine; export it there",
                          environment->path);
    }
    kstore_settings *settings = &environment->settings;
    settings->dim = kstore_load32(bytes + DIM_AT);
    settings->precision = kstore_load32(bytes + PRECISION_AT);
    memcpy(environment->identity, bytes + IDENTITY_AT, KSTORE_IDENTITY_BYTES);
    memcpy(settings->model, bytes + MODEL_AT, sizeof(settings->model));
    memcpy(settings->fingerprint, bytes + FINGERPRINT_AT,
           sizeof(settings->fingerprint));
    return kstore_check_settings(settings, err);
}
