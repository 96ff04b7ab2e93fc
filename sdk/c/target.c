/* Target: what a user typed as the server's address, as the gRPC core wants it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sdk/c/client_internal.h"

#define DEFAULT_PORT "50051"

static char *join(const char *head, const char *middle, size_t middle_bytes, const char *tail) {
    size_t bytes = strlen(head) + middle_bytes + strlen(tail) + 1;
    char *text = malloc(bytes);
    if (text != NULL) {
        snprintf(text, bytes, "%s%.*s%s", head, (int)middle_bytes, middle, tail);
    }
    return text;
}

static bool has_port(const char *host, size_t host_bytes) {
    const char *bracket = memchr(host, ']', host_bytes);
    const char *from = bracket != NULL ? bracket : host;
    const char *colon = memchr(from, ':', host_bytes - (size_t)(from - host));
    if (colon == NULL) {
        return false;
    }
    size_t digits = host_bytes - (size_t)(colon + 1 - host);
    return digits > 0 && digits <= 5 && strspn(colon + 1, "0123456789") >= digits;
}

char *nq__target_parse(const char *uri, nq_failure *out_failure) {
    if (strncmp(uri, "unix:", 5) == 0 && uri[5] != '\0') {
        return join("", uri, strlen(uri), "");
    }
    const char *host = strncmp(uri, "nq://", 5) == 0 ? uri + 5 : uri;
    size_t host_bytes = strcspn(host, "/?");
    const char *rest = host + host_bytes;
    if (strstr(host, "://") != NULL || memchr(host, '@', host_bytes) != NULL ||
        (rest[0] != '\0' && strcmp(rest, "/") != 0)) {
        nq__fail(out_failure, NQ_CODE_INVALID_ARGUMENT, "BAD_URI",
                 "cannot use '%s': the address is nq://host:port or unix:/path (this version has "
                 "no users, databases or TLS)",
                 uri);
        return NULL;
    }
    bool colon = memchr(host, ':', host_bytes) != NULL;
    bool ported = has_port(host, host_bytes);
    bool bare_ipv6 = host[0] == '[' && host_bytes > 2 && host[host_bytes - 1] == ']';
    if (host_bytes == 0 || host[0] == ':' || (colon && !ported && !bare_ipv6)) {
        nq__fail(out_failure, NQ_CODE_INVALID_ARGUMENT, "BAD_URI",
                 "cannot use '%s': the address is nq://host:port or unix:/path", uri);
        return NULL;
    }
    return join("dns:", host, host_bytes, ported ? "" : ":" DEFAULT_PORT);
}
