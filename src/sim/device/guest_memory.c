/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/device/guest_memory.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/stat.h>

static bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
    return a < b + b_size && b < a + a_size;
}

static bool check_place(const struct guest_memory *memory, const struct guest_region *region,
                        struct error *err)
{
    if (memory->count == GUEST_MEMORY_REGIONS_MAX)
        return error_set(err, ERROR_FORMAT, "more than %d memory regions",
                         GUEST_MEMORY_REGIONS_MAX);
    if (region->size == 0 || region->guest > UINT64_MAX - region->size ||
        region->user > UINT64_MAX - region->size)
        return error_set(err, ERROR_FORMAT, "a memory region of %" PRIu64 " bytes at %#" PRIx64,
                         region->size, region->guest);
    for (size_t i = 0; i < memory->count; i++) {
        const struct guest_region *other = &memory->regions[i];
        if (overlap(region->guest, region->size, other->guest, other->size) ||
            overlap(region->user, region->size, other->user, other->size))
            return error_set(err, ERROR_FORMAT, "memory regions overlap at %#" PRIx64,
                             region->guest);
    }
    return true;
}

/* Reading a mapping beyond the end of a file that became shorter is SIGBUS: it must be sealed. */
static bool check_file(uint64_t offset, uint64_t size, int fd, struct error *err)
{
    struct stat status;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & F_SEAL_SHRINK) == 0)
        return error_set(err, ERROR_FORMAT,
                         "guest memory is not a memfd that is sealed against shrinking");
    if (fstat(fd, &status) != 0)
        return error_set_errno(err, ERROR_SYSTEM, "fstat of guest memory");
    if (size > SIZE_MAX - offset || offset > (uint64_t)status.st_size ||
        size > (uint64_t)status.st_size - offset)
        return error_set(err, ERROR_FORMAT, "a memory region lies beyond the end of its file");
    return true;
}

bool guest_memory_add(struct guest_memory *memory, struct guest_region region, uint64_t offset,
                      int fd, struct error *err)
{
    if (!check_place(memory, &region, err) || !check_file(offset, region.size, fd, err))
        return false;
    /* From the start of the file: the offset need not be a multiple of the page size. */
    region.map_size = (size_t)(offset + region.size);
    region.map = mmap(NULL, region.map_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (region.map == MAP_FAILED)
        return error_set_errno(err, ERROR_SYSTEM, "mmap of guest memory");
    region.at = (uint8_t *)region.map + offset;
    memory->regions[memory->count++] = region;
    return true;
}

void guest_memory_clear(struct guest_memory *memory)
{
    for (size_t i = 0; i < memory->count; i++)
        if (memory->regions[i].map != NULL)
            munmap(memory->regions[i].map, memory->regions[i].map_size);
    memory->count = 0;
}

static bool within(uint64_t start, uint64_t size, uint64_t address, uint64_t len)
{
    return address >= start && len <= size && address - start <= size - len;
}

uint8_t *guest_memory_at(const struct guest_memory *memory, uint64_t guest, uint64_t len)
{
    for (size_t i = 0; i < memory->count; i++) {
        const struct guest_region *region = &memory->regions[i];
        if (within(region->guest, region->size, guest, len))
            return region->at + (guest - region->guest);
    }
    return NULL;
}

uint8_t *guest_memory_user(const struct guest_memory *memory, uint64_t user, uint64_t len)
{
    for (size_t i = 0; i < memory->count; i++) {
        const struct guest_region *region = &memory->regions[i];
        if (within(region->user, region->size, user, len))
            return region->at + (user - region->user);
    }
    return NULL;
}
