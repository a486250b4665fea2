#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

#define DELAY_SECONDS 1.0
#define INTERVAL_SECONDS 0.2

static struct {
    const char *action;
    bool enabled;
    bool visible;
    double began;
    double shown;
} line;

static bool is_wanted(bool quiet)
{
    const char *terminal = getenv("TERM");
    return !quiet && isatty(STDERR_FILENO) && terminal != NULL &&
           strcmp(terminal, "dumb") != 0;
}

void progress_begin(const char *action, bool quiet)
{
    line.action = action;
    line.enabled = is_wanted(quiet);
    line.visible = false;
    line.began = seconds_now();
    line.shown = 0;
}

static bool is_due(void)
{
    double now = line.enabled ? seconds_now() : 0;
    if (!line.enabled || now - line.began < DELAY_SECONDS ||
        now - line.shown < INTERVAL_SECONDS) {
        return false;
    }
    line.shown = now;
    return true;
}

static void show(const char *what, double fraction)
{
    double elapsed = line.shown - line.began;
    fprintf(stderr, "\r\033[K%s: %s", line.action, what);
    if (fraction > 0 && fraction <= 1) {
        uint64_t left = (uint64_t)(elapsed * (1 - fraction) / fraction + 0.5);
        fprintf(stderr, ", %.0f %%, %" PRIu64 ":%02" PRIu64 " left", fraction * 100,
                left / 60, left % 60);
    }
    fflush(stderr);
    line.visible = true;
}

void progress_records(uint64_t n_records, double fraction)
{
    if (is_due()) {
        char what[80];
        snprintf(what, sizeof(what), "%" PRIu64 " records, %.0f/s", n_records,
                 (double)n_records / (line.shown - line.began));
        show(what, fraction);
    }
}

void progress_step(const char *step, double fraction)
{
    if (is_due()) {
        show(step, fraction);
    }
}

void progress_hide(void)
{
    if (line.visible) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
        line.visible = false;
        line.shown = 0;
    }
}

void progress_end(void)
{
    progress_hide();
    line.enabled = false;
}
