/* The self-test in a model file, and the list of kernels that it runs. */
#include "encoder_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checksum.h"
#include "cpu.h"
#include "kmodel.h"

/* What the self-test of the file finds; *verified is what kenc_model_verify() says. */
static kith_status try_model(const char *path, const char *cpu,
                             kith_precision precision, unsigned n_threads,
                             kith_model_test_result *result, kith_status *verified,
                             kith_error *err)
{
    kith_error error;
    kenc_model *model = open_as(path, precision, cpu, n_threads);
    *verified = kenc_model_verify(model, &error);
    kith_status status = kenc_model_test(model, result, err);
    kenc_model_close(model);
    return status;
}

static void kernels_are_those_that_can_be_chosen(void **state)
{
    (void)state;
    char expected[256] = "";
    for (int i = 0; i < KBASE_ISA_COUNT; i++) {
        const char *name = kbase_isa_name((kbase_isa)i);
        kbase_isa isa;
        if (kbase_isa_choose(name, &isa, NULL) == KITH_OK) {
            strcat(strcat(expected, expected[0] != '\0' ? " " : ""), name);
        }
    }
    kbase_isa best;
    assert_int_equal(kbase_isa_choose(NULL, &best, NULL), KITH_OK);
    assert_string_equal(kenc_kernel_names(), expected);
    const char *last = strrchr(expected, ' ');
    assert_string_equal(last != NULL ? last + 1 : expected, kbase_isa_name(best));
}

static void all_kernels_pass(void **state)
{
    (void)state;
    kith_error error;
    for (int i = 0; i < KBASE_ISA_COUNT; i++) {
        const char *name = kbase_isa_name((kbase_isa)i);
        kbase_isa isa;
        if (kbase_isa_choose(name, &isa, NULL) != KITH_OK) {
            print_message("# this CPU has no %s: its kernels are not tested\n", name);
            continue;
        }
        for (int p = KITH_PRECISION_FP32; p <= KITH_PRECISION_INT8; p++) {
            kith_model_test_result result;
            kith_status verified;
            assert_ok(try_model(tiny, name, (kith_precision)p, (unsigned)p, &result,
                               &verified, &error));
            assert_int_equal(verified, KITH_OK);
            assert_int_equal(result.n_texts, 16);
            assert_true(result.n_tokens > 200);
            assert_true(result.n_tokens <= 16 * 32);
            assert_true(result.is_equal);
            assert_true(result.largest_difference == 0.0);
            assert_true(result.tokens_per_second > 0.0);
            assert_true(p == KITH_PRECISION_FP32
                            ? result.cosine > 1.0 - 1e-12
                            : result.cosine > 0.999 && result.cosine < 0.9999999);
        }
    }
}

/* Checksums as import would have written them. */
static void seal(char *data)
{
    kenc_header header;
    memcpy(&header, data, sizeof(header));
    kenc_section_entry *entry = &header.sections[KENC_SECTION_TEST];
    entry->checksum = kbase_hash64(data + entry->offset, entry->n_bytes);
    header.checksum = kbase_hash64(&header, offsetof(kenc_header, checksum));
    memcpy(data, &header, sizeof(header));
}

/* A bit of a stored vector is damage to its checksum; with checksums that hold, it is
 * what wrong kernels look like. */
static void another_vector_is_found(void **state)
{
    (void)state;
    kith_error error;
    size_t n;
    char *data = read_file(tiny, &n);
    char *path = format("%s/other.kmodel", folder);
    const kenc_header *header = (const void *)data;
    kenc_test_data test;
    char *section = data + header->sections[KENC_SECTION_TEST].offset;
    kenc_test_layout(48, section, &test);
    const struct {
        kith_precision precision;
        const float *at;
    } cases[] = { { KITH_PRECISION_FP32, test.fp32 + 5 },
                  { KITH_PRECISION_FP32, test.fp32 + 16 * 48 - 1 },
                  { KITH_PRECISION_INT8, test.int8 },
                  { KITH_PRECISION_INT8, test.int8 + 16 * 48 - 1 } };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        kith_model_test_result result;
        kith_status verified;
        char *byte = data + ((const char *)cases[i].at - data);
        const kith_precision other = cases[i].precision == KITH_PRECISION_FP32
                                         ? KITH_PRECISION_INT8
                                         : KITH_PRECISION_FP32;
        *byte ^= 1;
        write_file(path, data, n);
        assert_status(KITH_CORRUPT, try_model(path, NULL, cases[i].precision, 1,
                                              &result, &verified, &error));
        assert_int_equal(verified, KITH_CORRUPT);
        assert_int_equal(result.n_texts, 0);
        seal(data);
        write_file(path, data, n);
        assert_status(KITH_CORRUPT, try_model(path, NULL, cases[i].precision, 1,
                                              &result, &verified, &error));
        assert_int_equal(verified, KITH_OK);
        assert_int_equal(result.n_texts, 16);
        assert_false(result.is_equal);
        assert_true(result.largest_difference > 0.0);
        assert_true(result.largest_difference < 1e-6);
        assert_ok(try_model(path, NULL, other, 1, &result, &verified, &error));
        *byte ^= 1;
        seal(data);
    }
    free(path);
    free(data);
}

/* Sections that a checksum fits: of other numerics, with a text too few or too many,
 * and with a vector that is no number. */
static void strange_sections_are_refused(void **state)
{
    (void)state;
    kith_error error;
    size_t n;
    char *data = read_file(tiny, &n);
    char *path = format("%s/strange.kmodel", folder);
    const kenc_header *header = (const void *)data;
    char *section = data + header->sections[KENC_SECTION_TEST].offset;
    kenc_test_data test;
    const size_t texts_at = kenc_test_layout(48, section, &test);
    const size_t first = strlen(section + texts_at);
    const struct {
        size_t at, n_bytes;
        char byte;
        kith_status expected;
        uint32_t n_texts;
    } cases[] = {
        { 0, 4, 0x7f, KITH_VERSION, 0 },
        { texts_at + first, 1, 'x', KITH_CORRUPT, 0 },
        { texts_at + 1, 1, '\0', KITH_CORRUPT, 0 },
        { (size_t)((const char *)test.fp32 - section), 4, -1, KITH_CORRUPT, 16 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        kith_model_test_result result;
        kith_status verified;
        char former[4];
        memcpy(former, section + cases[i].at, cases[i].n_bytes);
        memset(section + cases[i].at, cases[i].byte, cases[i].n_bytes);
        seal(data);
        write_file(path, data, n);
        assert_status(cases[i].expected, try_model(path, NULL, KITH_PRECISION_FP32, 1,
                                                  &result, &verified, &error));
        assert_int_equal(result.n_texts, cases[i].n_texts);
        assert_true(cases[i].n_texts == 0 || result.largest_difference > 1e30);
        memcpy(section + cases[i].at, former, cases[i].n_bytes);
    }
    free(path);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernels_are_those_that_can_be_chosen),
        cmocka_unit_test(all_kernels_pass),
        cmocka_unit_test(another_vector_is_found),
        cmocka_unit_test(strange_sections_are_refused),
    };
    return cmocka_run_group_tests(tests, make_tiny, remove_folder);
}
