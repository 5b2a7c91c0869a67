/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's memory as a vhost-user front end shares it: regions of files, mapped here. The guest
 * may write to it at any time: copy first, then check the copy.
 */
#ifndef SIM_DEVICE_GUEST_MEMORY_H
#define SIM_DEVICE_GUEST_MEMORY_H

#include "base/error.h"

#define GUEST_MEMORY_REGIONS_MAX 8 /* of vhost-user without CONFIGURE_MEM_SLOTS */

struct guest_region {
    uint64_t guest; /* its first address in the guest */
    uint64_t user;  /* in the process of the front end */
    uint64_t size;
    uint8_t *at;     /* in this process */
    void *map;       /* what guest_memory_add mapped; NULL: it did not add this region */
    size_t map_size; /* bytes */
};

struct guest_memory {
    size_t count;
    struct guest_region regions[GUEST_MEMORY_REGIONS_MAX];
};

/*
 * Maps region.size bytes of fd from offset on; fd stays the caller's. region.at and region.map are
 * ignored. ERROR_FORMAT: too many regions, a size or offset outside the file or the address space,
 * an overlap, or a file that could become shorter while it is mapped (not a memfd with
 * F_SEAL_SHRINK).
 */
MUST_USE bool guest_memory_add(struct guest_memory *memory, struct guest_region region,
                               uint64_t offset, int fd, struct error *err);

/* Safe on a zeroed struct. No pointer into the memory may be used afterwards. */
void guest_memory_clear(struct guest_memory *memory);

/* len bytes at an address of the guest or of the front end; NULL unless one region holds all of
 * them. */
uint8_t *guest_memory_at(const struct guest_memory *memory, uint64_t guest, uint64_t len);
uint8_t *guest_memory_user(const struct guest_memory *memory, uint64_t user, uint64_t len);

#endif
