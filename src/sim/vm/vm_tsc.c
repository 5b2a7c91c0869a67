/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/vm/vm_tsc.h"

#include <time.h>

#if defined(__x86_64__)

#include <x86intrin.h>

#define WINDOW_NS 50000000
#define TRIES     20

struct moment {
    uint64_t ticks;
    int64_t ns;
};

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* Reads both clocks at once: of several tries, the one that took least. */
static struct moment look(void)
{
    struct moment best = {0};
    int64_t least = INT64_MAX;
    for (int i = 0; i < TRIES; i++) {
        int64_t before = now_ns();
        uint64_t ticks = __rdtsc();
        int64_t took = now_ns() - before;
        if (took < least) {
            least = took;
            best = (struct moment){.ticks = ticks, .ns = before + took / 2};
        }
    }
    return best;
}

uint32_t vm_tsc_khz(void)
{
    struct moment first = look();
    nanosleep(&(struct timespec){.tv_nsec = WINDOW_NS}, NULL);
    struct moment last = look();
    uint64_t ticks = last.ticks - first.ticks;
    int64_t ns = last.ns - first.ns;
    if (ns <= 0 || ticks > UINT64_MAX / 1000000)
        return 0;
    uint64_t khz = ticks * 1000000 / (uint64_t)ns;
    return khz <= UINT32_MAX ? (uint32_t)khz : 0;
}

#else

uint32_t vm_tsc_khz(void)
{
    return 0;
}

#endif
