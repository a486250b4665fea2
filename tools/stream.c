#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

#define STREAM_BYTES 65536
#define IDLE_MS 1000

/* A byte order mark is no text. */
static void skip_mark(stream *in)
{
    while (in->end < 3 && !in->is_at_end) {
        if (stream_fill(in) != READ_OK) {
            return; /* found again by the next read */
        }
        if (in->data[0] != '\xef') {
            return;
        }
    }
    if (in->end >= 3 && memcmp(in->data, "\xef\xbb\xbf", 3) == 0) {
        in->begin = 3;
        in->offset = 3;
    }
}

read_result stream_open(stream *in, const char *path)
{
    *in = (stream){ .line = 1 };
    in->fd =
        strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (in->fd < 0 || fstat(in->fd, &status) != 0) {
        in->error_number = errno;
    } else if (S_ISDIR(status.st_mode)) {
        in->error_number = EISDIR;
    }
    if (in->error_number != 0) {
        stream_close(in);
        return READ_FAILED;
    }
    in->size = S_ISREG(status.st_mode) ? (uint64_t)status.st_size : 0;
    in->data = allocate(STREAM_BYTES, 1);
    skip_mark(in);
    return READ_OK;
}

void stream_close(stream *in)
{
    if (in->fd >= 0) {
        close(in->fd);
        in->fd = -1;
    }
    free(in->data);
    in->data = NULL;
    buffer_free(&in->long_line);
}

static read_result wait_for_bytes(stream *in)
{
    struct pollfd wanted = { .fd = in->fd, .events = POLLIN };
    for (;;) {
        int ready = poll(&wanted, 1, IDLE_MS);
        if (signal_received()) {
            return READ_STOPPED;
        }
        if (ready != 0) {
            return READ_OK; /* an error of poll() is left to read() */
        }
        if (!in->idle(in->context)) {
            return READ_STOPPED;
        }
    }
}

read_result stream_fill(stream *in)
{
    if (in->begin > 0) {
        memmove(in->data, in->data + in->begin, in->end - in->begin);
        in->end -= in->begin;
        in->begin = 0;
    }
    while (!in->is_at_end && in->end < STREAM_BYTES) {
        if (signal_received()) {
            return READ_STOPPED;
        }
        if (in->idle != NULL && in->size == 0) {
            read_result result = wait_for_bytes(in);
            if (result != READ_OK) {
                return result;
            }
        }
        ssize_t n = read(in->fd, in->data + in->end, STREAM_BYTES - in->end);
        if (n > 0) {
            in->end += (size_t)n;
            return READ_OK;
        }
        if (n < 0 && errno != EINTR) {
            in->error_number = errno;
            return READ_FAILED;
        }
        in->is_at_end = n == 0;
    }
    return in->is_at_end ? READ_END : READ_OK;
}

int stream_byte(stream *in)
{
    if (in->begin == in->end) {
        read_result result = stream_fill(in);
        if (result != READ_OK) {
            return -(int)result;
        }
    }
    unsigned char byte = (unsigned char)in->data[in->begin++];
    in->offset++;
    in->line += byte == '\n';
    return byte;
}

static void take(stream *in, size_t n_bytes)
{
    in->begin += n_bytes;
    in->offset += n_bytes;
}

/* Move what is there to long_line, up to the limit; true when it did not fit. */
static bool set_aside(stream *in, size_t n_bytes, uint64_t max_bytes)
{
    size_t room = max_bytes > in->long_line.size ? max_bytes - in->long_line.size : 0;
    size_t kept = n_bytes < room ? n_bytes : room;
    buffer_append(&in->long_line, in->data + in->begin, kept);
    take(in, n_bytes);
    return kept < n_bytes;
}

/* Read until the end of the line is at hand; *feed is NULL if the stream ends first. */
static read_result find_end(stream *in, uint64_t max_bytes, text_line *line,
                            const char **feed)
{
    size_t searched = 0;
    for (;;) {
        size_t at_hand = in->end - in->begin;
        const char *start = in->data + in->begin;
        *feed = at_hand > searched ? memchr(start + searched, '\n', at_hand - searched)
                                   : NULL;
        if (*feed != NULL) {
            return READ_OK;
        }
        searched = at_hand;
        if (at_hand == STREAM_BYTES) {
            line->is_too_long |= set_aside(in, at_hand, max_bytes);
            searched = 0;
        }
        read_result result = stream_fill(in);
        if (result == READ_END && in->offset + (in->end - in->begin) > line->byte[0]) {
            return READ_OK;
        }
        if (result != READ_OK) {
            return result;
        }
    }
}

read_result stream_line(stream *in, uint64_t max_bytes, text_line *line)
{
    const char *feed;
    *line = (text_line){ .byte = { in->offset, in->offset }, .number = in->line };
    buffer_clear(&in->long_line);
    read_result result = find_end(in, max_bytes, line, &feed);
    if (result != READ_OK) {
        return result;
    }
    const char *start = in->data + in->begin;
    size_t n_bytes = (feed == NULL ? in->data + in->end : feed) - start;
    if (in->long_line.size > 0) {
        line->is_too_long |= set_aside(in, n_bytes, max_bytes);
        line->data = in->long_line.data;
        line->n_bytes = in->long_line.size;
    } else {
        take(in, n_bytes);
        line->data = start;
        line->n_bytes = n_bytes;
        line->is_too_long = n_bytes > max_bytes;
    }
    line->byte[1] = in->offset;
    if (feed != NULL) {
        take(in, 1);
        in->line++;
        if (!line->is_too_long && line->n_bytes > 0 &&
            line->data[line->n_bytes - 1] == '\r') {
            line->n_bytes--;
            line->byte[1]--;
        }
    }
    return READ_OK;
}

bool stream_has_line(const stream *in)
{
    return in->end > in->begin &&
           memchr(in->data + in->begin, '\n', in->end - in->begin) != NULL;
}
