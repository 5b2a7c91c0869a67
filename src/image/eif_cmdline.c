/* SPDX-License-Identifier: Apache-2.0 */
#include "image/eif_cmdline.h"

#include <inttypes.h>

static bool check_length(uint64_t len, enum error_code code, struct error *err)
{
    return (len > 0 && len <= EIF_CMDLINE_MAX) ||
           error_set(err, code,
                     "the kernel's command line has %" PRIu64
                     " bytes; it must have 1 to %d: the kernel takes %d, and a loader adds its "
                     "devices",
                     len, EIF_CMDLINE_MAX, EIF_CMDLINE_KERNEL);
}

bool eif_cmdline_check(struct bytes cmdline, enum error_code code, struct error *err)
{
    if (!check_length(cmdline.len, code, err))
        return false;
    if (memchr(cmdline.at, '\0', cmdline.len) != NULL)
        return error_set(err, code,
                         "the kernel's command line contains a zero byte: what follows it is "
                         "measured, but the kernel does not see it");
    for (size_t i = 0; i < cmdline.len; i++)
        if (cmdline.at[i] < 0x20 || cmdline.at[i] > 0x7e)
            return error_set(err, code,
                             "byte %zu of the kernel's command line is 0x%02x, not printable ASCII",
                             i, cmdline.at[i]);
    return true;
}

bool eif_cmdline_read(const struct eif_file *file, size_t section, struct buffer *out,
                      struct error *err)
{
    return check_length(file->sections[section].size, ERROR_FORMAT, err) &&
           eif_file_read(file, section, out, err) &&
           eif_cmdline_check(buffer_bytes(out), ERROR_FORMAT, err);
}
