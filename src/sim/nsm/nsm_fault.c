/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/nsm/nsm_fault.h"

#include "formats/text.h"
#include "sim/nsm/nsm_engine.h"
#include "sim/nsm/nsm_request.h"

static void copy_name(char out[32], struct bytes name)
{
    memcpy(out, name.at, name.len); /* all known names are shorter than 32 bytes */
    out[name.len] = '\0';
}

static enum nsm_fault_kind kind_of(struct bytes name)
{
    static const struct {
        const char *name;
        enum nsm_fault_kind kind;
    } kinds[] = {{"error", NSM_FAULT_ERROR},
                 {"short", NSM_FAULT_SHORT},
                 {"silent", NSM_FAULT_SILENT},
                 {"garbage", NSM_FAULT_GARBAGE}};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (bytes_equal_text(name, kinds[i].name))
            return kinds[i].kind;
    return NSM_FAULT_NONE;
}

bool nsm_fault_parse(void *place, const char *option, const char *text, struct error *err)
{
    struct nsm_fault *fault = place;
    (void)option;
    struct bytes rest = bytes_text(text);
    *fault = (struct nsm_fault){.kind = kind_of(text_cut(&rest, ':'))};
    if (fault->kind == NSM_FAULT_NONE)
        return error_set(err, ERROR_USAGE,
                         "%s is not a fault: it begins with error, short, silent or garbage", text);
    if (fault->kind == NSM_FAULT_ERROR) {
        struct bytes name = text_cut(&rest, ':');
        if (!nsm_engine_knows_error(name))
            return error_set(err, ERROR_USAGE, "%s names an error that the module does not have",
                             text);
        copy_name(fault->error, name);
    }
    if (rest.len == 0)
        return true;
    if (!nsm_engine_knows_request(rest))
        return error_set(err, ERROR_USAGE, "%s names a request that the module does not have",
                         text);
    copy_name(fault->request, rest);
    return true;
}

bool nsm_fault_hits(const struct nsm_fault *fault, struct bytes request)
{
    if (fault->kind == NSM_FAULT_NONE)
        return false;
    return fault->request[0] == '\0' || bytes_equal_text(nsm_request_name(request), fault->request);
}

bool nsm_fault_apply(const struct nsm_fault *fault, struct buffer *response)
{
    static const uint8_t garbage[] = {0xff, 0x9b, 0xff, 0xff, 0xff, 0xff, 0xff,
                                      0xff, 0xff, 0xff, 0x00, 0x1c, 0xa1, 0x7f};
    switch (fault->kind) {
    case NSM_FAULT_ERROR:
        buffer_reset(response);
        nsm_engine_put_error(response, bytes_text(fault->error));
        return true;
    case NSM_FAULT_SHORT:
        response->len /= 2;
        return true;
    case NSM_FAULT_GARBAGE:
        buffer_reset(response);
        buffer_append(response, bytes_of(garbage, sizeof garbage));
        return true;
    case NSM_FAULT_SILENT:
        return false;
    case NSM_FAULT_NONE:
        break;
    }
    return true;
}
