/* index/plan.c and factory.c: which way to answer, and which indexes can be built. */
#include "support.h"

#include <string.h>

#include "factory.h"
#include "plan.h"

/* 50,000 rows of 384 numbers, as measured on real questions. */
static const kidx_ann_info fifty_thousand = {
    .factory = "IVF256,PQ192x4fsr",
    .n_lists = 256,
    .covers = 50000,
    .n_bytes = 5900000,
    .recall = { .n_points = 6,
                .n_queries = 1000,
                .scan_seconds = 600e-6,
                .batch_scan_seconds = 100e-6,
                .points = { { 10, 16, 0.87, 60e-6 },
                            { 10, 64, 0.966, 80e-6 },
                            { 10, 128, 0.989, 120e-6 },
                            { 100, 16, 0.81, 60e-6 },
                            { 100, 64, 0.953, 80e-6 },
                            { 100, 128, 0.984, 120e-6 } } },
};

static kidx_plan_request usual(void)
{
    return (kidx_plan_request){ .n_rows = 50000,
                                .n_coded = 50000,
                                .k = 10,
                                .min_recall = 0.95,
                                .use = KITH_USE_ANN_AUTO,
                                .n_queries = 1,
                                .n_together = 1 };
}

static kidx_plan choose(kidx_plan_request request, const kidx_ann_info *info)
{
    kidx_plan plan;
    memset(&plan, 0x55, sizeof(plan));
    kidx_plan_choose(&request, info, &plan);
    assert_non_null(memchr(plan.reason, '\0', sizeof(plan.reason)));
    assert_true(plan.reason[0] != '\0' && strchr(plan.reason, '\n') == NULL);
    if (plan.exact) {
        assert_true(plan.recall == 1 && strncmp(plan.reason, "exact: ", 7) == 0);
    } else {
        assert_int_equal(strncmp(plan.reason, "approximate: ", 13), 0);
    }
    return plan;
}

static void one_question_is_scanned(void **state)
{
    (void)state;
    assert_true(choose(usual(), NULL).exact);
    assert_true(choose(usual(), &fifty_thousand).exact);
}

static void many_questions_load_the_index(void **state)
{
    (void)state;
    kidx_plan_request request = usual();
    request.n_queries = 1000;
    kidx_plan plan = choose(request, &fifty_thousand);
    assert_true(!plan.exact && plan.nprobe == 64 && plan.recall == 0.966);
    assert_non_null(strstr(plan.reason, "nprobe 64"));
    assert_non_null(strstr(plan.reason, "0.966"));
    request.n_rows = 500; /* so few rows are scanned in no time */
    kidx_ann_info small = fifty_thousand;
    small.covers = 500;
    small.recall.scan_seconds = 6e-6;
    small.recall.batch_scan_seconds = 1e-6;
    request.n_queries = 10;
    assert_true(choose(request, &small).exact);
}

static void a_loaded_index_is_used(void **state)
{
    (void)state;
    kidx_plan_request request = usual();
    request.loaded = true;
    assert_false(choose(request, &fifty_thousand).exact);
    /* Not where most rows would have to be scanned anyway and the rest is quick. */
    kidx_ann_info old = fifty_thousand;
    old.covers = 1000;
    old.recall.scan_seconds = 12e-6;
    old.recall.batch_scan_seconds = 2e-6;
    request.n_rows = 1100;
    assert_true(choose(request, &old).exact);
}

static void many_at_once_go_list_by_list(void **state)
{
    (void)state;
    kidx_ann_info info = fifty_thousand;
    /* 100 us * (64 / 256 + 120 / n) against half of 80 us */
    assert_true(kidx_plan_by_lists(&info, 1000, 64, 10));
    assert_false(kidx_plan_by_lists(&info, 700, 64, 10));
    assert_false(kidx_plan_by_lists(&info, 1, 64, 10));
    assert_true(kidx_plan_by_lists(&info, 1000, 70, 10));   /* of the next downward */
    assert_false(kidx_plan_by_lists(&info, 100000, 8, 10)); /* was not measured */
    assert_false(kidx_plan_by_lists(&info, 1000, 64, 2000)); /* of 12,500 rows */
    assert_false(kidx_plan_by_lists(&info, 1000, 64, 0));
    kidx_plan_request request = usual();
    request.loaded = true;
    assert_null(strstr(choose(request, &info).reason, "list by list"));
    request.n_queries = request.n_together = 1000;
    assert_non_null(strstr(choose(request, &info).reason, "nprobe 64 list by list"));
    /* That is quick enough where FAISS would not be. */
    info.recall.batch_scan_seconds = 75e-6;
    assert_false(choose(request, &info).exact);
    request.nprobe = 64;
    assert_non_null(strstr(choose(request, &info).reason, "nprobe 64 list by list as"));
    info.n_lists = 0;
    assert_false(kidx_plan_by_lists(&info, 1000, 0, 10));
}

static void the_next_measured_k_upward_counts(void **state)
{
    (void)state;
    kidx_plan_request request = usual();
    request.loaded = true;
    request.k = 1;
    assert_true(choose(request, &fifty_thousand).recall == 0.966);
    request.k = 11;
    assert_true(choose(request, &fifty_thousand).recall == 0.953);
    request.k = 100;
    request.min_recall = 0.96;
    assert_int_equal(choose(request, &fifty_thousand).nprobe, 128);
    request.k = 101;
    assert_true(choose(request, &fifty_thousand).exact);
}

static void a_recall_out_of_reach_is_scanned(void **state)
{
    (void)state;
    kidx_plan_request request = usual();
    request.loaded = true;
    request.min_recall = 0.99;
    kidx_plan plan = choose(request, &fifty_thousand);
    assert_true(plan.exact);
    assert_non_null(strstr(plan.reason, "0.990"));
    request.use = KITH_USE_ANN_ALWAYS;
    assert_true(choose(request, &fifty_thousand).exact);
}

static void always_and_never_do_not_count_time(void **state)
{
    (void)state;
    kidx_plan_request request = usual();
    request.use = KITH_USE_ANN_ALWAYS;
    assert_int_equal(choose(request, &fifty_thousand).nprobe, 64);
    assert_true(choose(request, NULL).exact);
    request.use = KITH_USE_ANN_NEVER;
    request.loaded = true;
    request.nprobe = 16;
    assert_true(choose(request, &fifty_thousand).exact);
}

static void a_given_nprobe_is_taken(void **state)
{
    (void)state;
    kidx_plan_request request = usual();
    request.nprobe = 100; /* between two that were measured: the lower bound counts */
    kidx_plan plan = choose(request, &fifty_thousand);
    assert_true(!plan.exact && plan.nprobe == 100 && plan.recall == 0.966);
    request.nprobe = 100000;
    plan = choose(request, &fifty_thousand);
    assert_true(plan.nprobe == 256 && plan.recall == 0.989);
    request.nprobe = 1;
    assert_true(choose(request, &fifty_thousand).recall == -1);
    request.nprobe = 64;
    request.k = 5000;
    plan = choose(request, &fifty_thousand);
    assert_true(!plan.exact && plan.nprobe == 64 && plan.recall == -1);
    assert_true(choose(request, NULL).exact);
}

static void an_index_without_lists_has_one_setting(void **state)
{
    (void)state;
    const kidx_ann_info flat = {
        .factory = "PQ192x4fs",
        .covers = 50000,
        .n_bytes = 5000000,
        .recall = { .n_points = 1,
                    .n_queries = 1000,
                    .scan_seconds = 600e-6,
                    .batch_scan_seconds = 100e-6,
                    .points = { { 10, 0, 0.997, 80e-6 } } },
    };
    kidx_plan_request request = usual();
    request.loaded = true;
    kidx_plan plan = choose(request, &flat);
    assert_true(!plan.exact && plan.nprobe == 0 && plan.recall == 0.997);
    request.nprobe = 12;
    plan = choose(request, &flat);
    assert_true(!plan.exact && plan.nprobe == 0 && plan.recall == 0.997);
}

static void the_longest_reason_is_cut_not_overrun(void **state)
{
    (void)state;
    kidx_ann_info info = fifty_thousand;
    memset(info.factory, 'x', sizeof(info.factory) - 1);
    info.n_lists = 1u << 20;
    info.recall.points[1].nprobe = 1000000;
    kidx_plan_request request = usual();
    request.n_rows = UINT64_MAX / 2;
    request.n_queries = UINT64_MAX;
    choose(request, &info);
    request.use = KITH_USE_ANN_ALWAYS;
    assert_false(choose(request, &info).exact);
}

/* ---------------------------------------------------------------- factory strings */

static void possible_factories_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *for_faiss;
        uint32_t n_lists;
        uint64_t min_training;
    } cases[] = {
        { "PQ192x4fs", "PQ192x4fs", 0, 624 },
        { "IVF1024,PQ192x4fsr", "IVF1024,PQ192x4fsr", 1024, 39936 },
        { "IVF8,PQ96x4fs", "IVF8,PQ96x4fs", 8, 624 },
        { "IVF64,PQ48", "IVF64,PQ48np", 64, 9984 },
        { "IVF64,PQ48np", "IVF64,PQ48np", 64, 9984 },
        { "IVF4096_HNSW32,SQ8", "IVF4096_HNSW32,SQ8", 4096, 159744 },
        { "IVF1,Flat", "IVF1,Flat", 1, 39 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        kith_error error;
        kidx_factory factory;
        assert_ok(kidx_factory_parse(cases[i].text, 384, &factory, &error));
        assert_string_equal(factory.text, cases[i].for_faiss);
        assert_int_equal(factory.n_lists, cases[i].n_lists);
        assert_int_equal(factory.min_training, cases[i].min_training);
        kidx_factory again;
        assert_ok(kidx_factory_parse(factory.text, 384, &again, &error));
        assert_string_equal(again.text, factory.text);
    }
}

static void other_factories_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "Flat", "SQ8", "PQ192", "PQ192x4fsr", "PQ0x4fs", "PQ01x4fs", "PQx4fs",
        "HNSW32", "PQ5x4fs", "PQ384x4fs", "IVF", "IVF1024", "IVF0,Flat", "IVF-1,Flat",
        "IVF9,", "IVF9,PQ5", "IVF9,PQ48x8", "IVF9,SQ4", "IVF9,Flat ", " IVF9,Flat",
        "IVF9,flat", "IVF9999999,Flat", "IVF99999999999999999999,Flat",
        "IVF9_HNSW16,Flat", "IVF9_HNSW32", "IDMap,IVF9,Flat", "OPQ48,IVF9,PQ48",
        "IVF9,PQ48,RFlat", "IVF9,PQ192x4fsr_64",
        "IVF1024,PQ192x4fsrIVF1024,PQ192x4fsrIVF1024,PQ192x4fsrIVF1024",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        kith_error error;
        kidx_factory factory;
        assert_status(KITH_INVALID,
                      kidx_factory_parse(texts[i], 384, &factory, &error));
    }
}

static void defaults_can_be_built(void **state)
{
    (void)state;
    static const uint32_t dims[] = { 1, 2, 7, 48, 384, 400, 768, 1024, 1031, 4096 };
    static const uint64_t sizes[] = {
        0, 724, 19999, 20000, 49716, 1000000, 1000000000
    };
    kith_error error;
    char text[KIDX_FACTORY_BYTES];
    for (size_t i = 0; i < sizeof(dims) / sizeof(dims[0]); i++) {
        for (size_t j = 0; j < sizeof(sizes) / sizeof(sizes[0]); j++) {
            kidx_factory factory;
            kidx_ann_default_factory(sizes[j], dims[i], text);
            assert_ok(kidx_factory_parse(text, dims[i], &factory, &error));
            assert_string_equal(text, factory.text);
            assert_true(sizes[j] == 0 || factory.min_training <= sizes[j]);
        }
    }
    kidx_ann_default_factory(19999, 384, text);
    assert_string_equal(text, "PQ192x4fs");
    kidx_ann_default_factory(49716, 384, text);
    assert_string_equal(text, "IVF256,PQ192x4fsr");
    kidx_ann_default_factory(49716, 768, text);
    assert_string_equal(text, "IVF256,PQ256x4fsr");
    kidx_ann_default_factory(49716, 7, text);
    assert_string_equal(text, "IVF256,PQ7x4fsr");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_question_is_scanned),
        cmocka_unit_test(many_questions_load_the_index),
        cmocka_unit_test(a_loaded_index_is_used),
        cmocka_unit_test(many_at_once_go_list_by_list),
        cmocka_unit_test(the_next_measured_k_upward_counts),
        cmocka_unit_test(a_recall_out_of_reach_is_scanned),
        cmocka_unit_test(always_and_never_do_not_count_time),
        cmocka_unit_test(a_given_nprobe_is_taken),
        cmocka_unit_test(an_index_without_lists_has_one_setting),
        cmocka_unit_test(the_longest_reason_is_cut_not_overrun),
        cmocka_unit_test(possible_factories_are_read),
        cmocka_unit_test(other_factories_are_refused),
        cmocka_unit_test(defaults_can_be_built),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
