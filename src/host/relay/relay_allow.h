/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a relay may lead: destinations as users write them, HOST:PORT, and the list of those that
 * are allowed. The list's format is defined in docs/relay.md.
 *
 * An entry of a list is a destination in whose host a label may be "*", which matches exactly one
 * label. Names are compared without regard to case, addresses by value. A name never matches an
 * entry that is an address, and an address never one that is a name.
 */
#ifndef HOST_RELAY_RELAY_ALLOW_H
#define HOST_RELAY_RELAY_ALLOW_H

#include <sys/socket.h>

#include "base/error.h"

#define ALLOW_ENTRIES_MAX     512
#define ALLOW_FILE_MAX        (256u << 10) /* bytes */
#define HOST_SIZE             254          /* longest name of DNS, 253 bytes, and a terminator */
#define DESTINATION_TEXT_SIZE (HOST_SIZE + 9)

struct destination {
    char host[HOST_SIZE]; /* lower case; of an address its canonical form, without brackets */
    bool numeric;         /* host is an IPv4 or IPv6 address */
    uint16_t port;        /* 1..65535 */
};

struct allow_list {
    struct destination *entries; /* owned */
    size_t count;
};

/* HOST:PORT; HOST a name, an IPv4 address or an IPv6 address in brackets. ERROR_USAGE. */
MUST_USE bool destination_parse(struct destination *out, struct bytes text, struct error *err);
/* HOST:PORT again, with brackets where needed. */
void destination_text(const struct destination *destination, char out[DESTINATION_TEXT_SIZE]);

/* {0} is an empty list. Frees the entries. */
void allow_clear(struct allow_list *list);

/* Appends the endpoints of KMS in every region, port 443. ERROR_MEMORY. */
MUST_USE bool allow_add_kms(struct allow_list *list, struct error *err);
/* Appends one entry. ERROR_USAGE with what is wrong, ERROR_MEMORY. */
MUST_USE bool allow_add(struct allow_list *list, struct bytes text, struct error *err);
/* The same of a host without brackets, and its port. */
MUST_USE bool allow_add_pair(struct allow_list *list, struct bytes host, uint64_t port,
                             struct error *err);
/*
 * Appends the entries of a file's text, at least one; name is for messages. ERROR_CONFIG with the
 * number of the wrong line, ERROR_MEMORY; the list then holds the entries before it.
 */
MUST_USE bool allow_add_file(struct allow_list *list, struct bytes text, const char *name,
                             struct error *err);

/*
 * Fills *out with the entries of a file (NULL: the endpoints of KMS) and with single entries. On
 * failure *out is empty and *err is as above, or ERROR_SYSTEM if the file cannot be read.
 */
MUST_USE bool allow_read(struct allow_list *out, const char *file, const char *const entries[],
                         size_t count, struct error *err);

bool allow_has(const struct allow_list *list, const struct destination *to);

/*
 * Whether an allowed destination may be reached at an address that its name resolved to. Addresses
 * of this machine and its link (loopback, 169.254.0.0/16 and the like) must be in the list
 * themselves, whatever the name is; but localhost is loopback by definition (RFC 6761).
 */
bool allow_has_address(const struct allow_list *list, const struct destination *to,
                       const struct sockaddr *address);

#endif
