/* SPDX-License-Identifier: Apache-2.0 */
#include "sockets/deadline_sleep.h"

bool deadline_sleep(const struct deadline *deadline, int64_t ms, struct error *err)
{
    struct deadline nap = deadline_in(ms);
    nap.stop_fd = deadline->stop_fd;
    bool cut_short = deadline->at_ms < nap.at_ms;
    if (cut_short)
        nap.at_ms = deadline->at_ms;
    struct error ended = {0};
    if (deadline_wait(&nap, -1, 0, &ended))
        return true;
    if (ended.code == ERROR_DEADLINE && !cut_short)
        return true;
    return error_set(err, ended.code, "%s", ended.cause);
}
