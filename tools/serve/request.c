#include "request.h"

#include <stdarg.h>
#include <stdio.h>

#include "cli.h"
#include "json_write.h"
#include "text.h"

void request_free(request *r)
{
    buffer_free(&r->place);
    buffer_free(&r->body);
    buffer_free(&r->reply);
    json_decref(r->parameters);
    *r = (request)REQUEST_EMPTY;
}

static void put_openai_error(buffer *out, int status, const char *code,
                             const char *text)
{
    put_key(out, "error");
    put_open(out, '{');
    put_key(out, "message");
    put_text(out, text_of(text));
    put_key(out, "type");
    put_text(out, text_of(status < 500 ? "invalid_request_error" : "server_error"));
    put_key(out, "param");
    put_null(out);
    put_key(out, "code");
    put_text(out, text_of(code));
    put_close(out, '}');
}

static void put_error(request *r, int status, const char *code, const char *text)
{
    buffer_clear(&r->reply);
    r->status = status;
    r->content_type = NULL;
    put_open(&r->reply, '{');
    put_key(&r->reply, "code");
    put_text(&r->reply, text_of(code));
    put_key(&r->reply, "message");
    put_text(&r->reply, text_of(text));
    if (r->has_openai_error) {
        put_openai_error(&r->reply, status, code, text);
    }
    if (r->dify_error != 0) {
        put_key(&r->reply, "error_code");
        put_count(&r->reply, r->dify_error);
        put_key(&r->reply, "error_msg");
        put_text(&r->reply, text_of(text));
    }
    put_close(&r->reply, '}');
    buffer_byte(&r->reply, '\n');
}

bool request_fail(request *r, int status, const char *code, const char *format, ...)
{
    char text[640];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    put_error(r, status, code, text);
    return false;
}

bool request_is_late(const request *r)
{
    return *r->is_over || seconds_now() > r->deadline;
}

static bool fail_late(request *r)
{
    return request_fail(
        r, HTTP_UNAVAILABLE, "timeout",
        "the request took longer than %.0f seconds, or the server ends; "
        "ask for less at once",
        MAX_WORK_SECONDS);
}

bool request_has_time(request *r)
{
    return !request_is_late(r) || fail_late(r);
}

bool request_fail_library(request *r, const kith_error *err)
{
    switch (err->code) {
    case KITH_INVALID:
        return request_refuse(r, "%s", err->message);
    case KITH_INTERRUPTED: /* writers ask request_is_late() */
        return fail_late(r);
    case KITH_BUSY:
        return request_fail(r, HTTP_UNAVAILABLE, "busy",
                            "another writer holds the collection; try again");
    default:
        message("%s", err->message);
        return request_fail(r, HTTP_INTERNAL, "internal",
                            "%s; the server's log says more",
                            kith_status_name(err->code));
    }
}
