/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's memory as a vhost-user front end shares it: regions of files, mapped here. Whoever
 * looks at it shares it with a guest that writes at the same time: copy first, then judge the copy.
 */
#ifndef SIM_DEVICE_GUEST_MEMORY_H
#define SIM_DEVICE_GUEST_MEMORY_H

#include "base/error.h"

#define GUEST_MEMORY_REGIONS_MAX 8 /* as vhost-user has it without CONFIGURE_MEM_SLOTS */

struct guest_region {
    uint64_t guest; /* its first address as the guest has it */
    uint64_t user;  /* and as the front end has it in its own process */
    uint64_t size;
    uint8_t *at;     /* and here */
    void *map;       /* what was mapped; NULL: not by guest_memory_add */
    size_t map_size; /* bytes */
};

struct guest_memory {
    size_t count;
    struct guest_region regions[GUEST_MEMORY_REGIONS_MAX];
};

/*
 * Maps region.size bytes of fd from offset on; fd stays the caller's. region's at and map are not
 * looked at. ERROR_FORMAT: too many regions, sizes or offsets that the file or the address space do
 * not have, an overlap, a file that could be cut short under us (a memfd without F_SEAL_SHRINK).
 */
MUST_USE bool guest_memory_add(struct guest_memory *memory, struct guest_region region,
                               uint64_t offset, int fd, struct error *err);

/* Safe on a zeroed struct; no pointer into the memory may be used afterwards. */
void guest_memory_clear(struct guest_memory *memory);

/* len bytes at a guest's or a front end's address; NULL unless all of them lie in one region. */
uint8_t *guest_memory_at(const struct guest_memory *memory, uint64_t guest, uint64_t len);
uint8_t *guest_memory_user(const struct guest_memory *memory, uint64_t user, uint64_t len);

#endif
