#include "access.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli.h"
#include "text.h"

#define LEAST_KEY_BYTES 16

/* ------------------------------------------------------------------ the key */

bool access_check_new_key(const char *where, const char *key)
{
    if (strlen(key) >= LEAST_KEY_BYTES) {
        return true;
    }
    message("%s: an API key has at least %d characters", where, LEAST_KEY_BYTES);
    return false;
}

char *access_read_key(const char *path)
{
    char *line = NULL;
    size_t capacity = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        report_errno(path, errno);
        return NULL;
    }
    if (getline(&line, &capacity, file) < 0) {
        free(line);
        line = copy_string("");
    }
    fclose(file);
    line[strcspn(line, "\r\n")] = '\0';
    if (!access_check_new_key(path, line)) {
        free(line);
        return NULL;
    }
    return line;
}

/* Takes as long wherever they differ. */
static bool is_key(const char *given, const char *key)
{
    const size_t length = strlen(key);
    unsigned char difference = strlen(given) != length;
    for (size_t i = 0; given[i] != '\0'; i++) {
        difference |= (unsigned char)(given[i] ^ key[i % length]);
    }
    return difference == 0;
}

bool access_check_key(const access_rules *rules, request *r, const char *authorization)
{
    static const char scheme[] = "Bearer ";
    if (rules->key == NULL) {
        return true;
    }
    const bool has_form = authorization != NULL &&
                          strncasecmp(authorization, scheme, strlen(scheme)) == 0;
    if (has_form && is_key(authorization + strlen(scheme), rules->key)) {
        return true;
    }
    if (r->dify_error != 0) {
        r->dify_error = has_form ? DIFY_KEY : DIFY_HEADER;
    }
    return request_fail(r, HTTP_UNAUTHORIZED, "unauthorized",
                        "the header \"Authorization: Bearer KEY\" is needed");
}

/* ------------------------------------------------------------------ host and origin */

/* Take ":PORT" off. False when it is not a host and a port. */
static bool split_host(const char *host, kith_text *name)
{
    const char *end = host[0] == '[' ? strchr(host, ']') : strchr(host, ':');
    if (host[0] == '[' && end != NULL) {
        end++;
    } else if (end == NULL) {
        end = host + strlen(host);
    }
    *name = (kith_text){ host, (size_t)(end - host) };
    return name->n_bytes > 0 &&
           (*end == '\0' || (*end == ':' && strlen(end) <= 6 &&
                             end[1 + strspn(end + 1, "0123456789")] == '\0'));
}

static bool is_name(kith_text name, const char *allowed)
{
    return allowed != NULL && strlen(allowed) == name.n_bytes &&
           strncasecmp(name.data, allowed, name.n_bytes) == 0;
}

/* A numeric address, one of IPv6 in [ ] or, in `allowed`, without. */
static bool is_address(kith_text name)
{
    char text[INET6_ADDRSTRLEN + 2];
    struct in6_addr address;
    if (name.n_bytes >= sizeof(text)) {
        return false;
    }
    memcpy(text, name.data, name.n_bytes);
    text[name.n_bytes] = '\0';
    if (text[0] == '[') {
        text[name.n_bytes - 1] = '\0';
        return inet_pton(AF_INET6, text + 1, &address) == 1;
    }
    return inet_pton(AF_INET, text, &address) == 1;
}

static bool is_allowed(const access_rules *rules, kith_text name)
{
    if (is_name(name, "localhost") || is_name(name, "127.0.0.1") ||
        is_name(name, "[::1]") || is_name(name, rules->address)) {
        return true;
    }
    /* The address of an option has no brackets. */
    const kith_text bare =
        name.data[0] == '[' ? (kith_text){ name.data + 1, name.n_bytes - 2 } : name;
    if (is_name(bare, rules->address) || (rules->any_address && is_address(name))) {
        return true;
    }
    for (size_t i = 0; i < rules->names->n_given; i++) {
        if (is_name(name, rules->names->given[i])) {
            return true;
        }
    }
    return false;
}

bool access_check(const access_rules *rules, request *r, const char *host,
                  const char *origin)
{
    kith_text name;
    if (host == NULL) {
        return request_refuse(r, "a Host header is needed");
    }
    if (!split_host(host, &name) || !is_allowed(rules, name)) {
        return request_fail(r, HTTP_FORBIDDEN, "host_not_allowed",
                            "this server does not go by that name; see --allow-host");
    }
    if (origin == NULL) {
        return true;
    }
    const char *authority = strstr(origin, "://");
    const bool is_web =
        strncmp(origin, "http://", 7) == 0 || strncmp(origin, "https://", 8) == 0;
    return (is_web && strcasecmp(authority + 3, host) == 0) ||
           request_fail(r, HTTP_FORBIDDEN, "origin_not_allowed",
                        "a page of another site may not ask this server");
}
