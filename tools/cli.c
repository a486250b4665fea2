#include "cli.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "progress.h"
#include "text.h"

int exit_for(kith_status status, subject about)
{
    switch (status) {
    case KITH_OK:
        return EXIT_DONE;
    case KITH_NOT_FOUND:
        return about == SUBJECT_RECORD ? EXIT_NO : EXIT_ENVIRONMENT;
    case KITH_INVALID:
        return about == SUBJECT_FOREIGN_DATA ? EXIT_DATA : EXIT_USAGE;
    case KITH_UNSUPPORTED:
        return about == SUBJECT_FOREIGN_DATA ? EXIT_DATA : EXIT_ENVIRONMENT;
    case KITH_CORRUPT:
    case KITH_VERSION:
    case KITH_MISMATCH:
        return EXIT_DATA;
    case KITH_INTERRUPTED:
        return EXIT_INTERRUPTED;
    case KITH_EXISTS:
    case KITH_BUSY:
    case KITH_FULL:
    case KITH_NOMEM:
    case KITH_IO:
        break;
    }
    return EXIT_ENVIRONMENT;
}

void message(const char *format, ...)
{
    char plain[8192];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(plain, sizeof(plain), format, arguments);
    va_end(arguments);
    buffer line = BUFFER_EMPTY;
    buffer_string(&line, "kith: ");
    text_escape(&line, (kith_text){ plain, strlen(plain) });
    buffer_byte(&line, '\n');
    progress_hide();
    fwrite(line.data, 1, line.size, stderr);
    buffer_free(&line);
}

int report(const kith_error *err, subject about)
{
    message("%s", err->message[0] == '\0' ? kith_status_name(err->code) : err->message);
    return exit_for(err->code, about);
}

int report_errno(const char *what, int error_number)
{
    message("%s: %s", what, strerror(error_number));
    return EXIT_ENVIRONMENT;
}

static volatile sig_atomic_t n_signals;
static volatile sig_atomic_t signal_asks;

static void on_termination(int number)
{
    (void)number;
    if (!signal_asks || n_signals > 0) {
        _exit(EXIT_INTERRUPTED);
    }
    n_signals = 1;
}

void signals_handle(on_signal action)
{
    struct sigaction act;
    memset(&act, 0, sizeof(act));
    act.sa_handler = on_termination; /* without SA_RESTART: a blocking read ends */
    signal_asks = action == SIGNAL_ASKS;
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    /* A reader that goes away ends us without a word, whatever our parent ignored. */
    signal(SIGPIPE, SIG_DFL);
}

bool signal_received(void)
{
    return n_signals > 0;
}

double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}
