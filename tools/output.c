#include "output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli.h"
#include "text.h"

static bool has_failed;

static void fail(void)
{
    if (!has_failed) {
        has_failed = true;
        if (errno != EPIPE) {
            report_errno("standard output", errno);
        }
    }
}

bool output_write(buffer *buf)
{
    if (!has_failed && buf->size > 0 &&
        fwrite(buf->data, 1, buf->size, stdout) != buf->size) {
        fail();
    }
    buffer_clear(buf);
    return !has_failed;
}

bool output_flush(buffer *buf)
{
    if (output_write(buf) && fflush(stdout) != 0) {
        fail();
    }
    return !has_failed;
}

int output_finish(int status)
{
    if (!has_failed && fflush(stdout) != 0) {
        fail();
    }
    if (!has_failed && fclose(stdout) != 0) {
        fail();
    }
    return has_failed ? EXIT_ENVIRONMENT : status;
}

bool output_is_terminal(void)
{
    static int is_terminal = -1;
    if (is_terminal < 0) {
        is_terminal = isatty(STDOUT_FILENO);
    }
    return is_terminal == 1;
}

bool output_has_colour(void)
{
    const char *no_color = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");
    return output_is_terminal() && (no_color == NULL || no_color[0] == '\0') &&
           terminal != NULL && strcmp(terminal, "dumb") != 0;
}

size_t output_columns(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20) {
        return size.ws_col;
    }
    return 80;
}

void output_text(buffer *buf, kith_text text)
{
    if (output_is_terminal()) {
        text_escape(buf, text);
    } else {
        buffer_append(buf, text.data, text.n_bytes);
    }
}

void output_paragraph(buffer *buf, kith_text text)
{
    if (output_is_terminal()) {
        text_escape_lines(buf, text);
    } else {
        buffer_append(buf, text.data, text.n_bytes);
    }
}
