/* SPDX-License-Identifier: Apache-2.0 */
#include "host/client/backoff.h"

#include <sys/random.h>

int64_t backoff_jitter(int64_t range)
{
    uint32_t value = 0;
    if (range <= 0 || getrandom(&value, sizeof value, GRND_NONBLOCK) != (ssize_t)sizeof value)
        return 0;
    return (int64_t)(value % (uint64_t)(range + 1));
}

int64_t backoff_ms(unsigned failures, int64_t first_ms, int64_t most_ms)
{
    int64_t ms = first_ms;
    for (unsigned i = 1; i < failures && ms < most_ms; i++)
        ms *= 2;
    ms = ms < most_ms ? ms : most_ms;
    return ms / 2 + backoff_jitter(ms / 2);
}
