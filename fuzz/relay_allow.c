/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of destinations: whatever is accepted can be written, read again, and means the same. */
#include "fuzz/fuzz.h"

#include "host/relay/relay_allow.h"

static void check_entry(const struct allow_list *list, const struct destination *entry)
{
    struct allow_list again = {0};
    struct destination to;
    struct error err;
    char text[DESTINATION_TEXT_SIZE];
    destination_text(entry, text);
    FUZZ_CHECK(allow_add(&again, bytes_text(text), &err));
    FUZZ_CHECK(strcmp(again.entries[0].host, entry->host) == 0);
    FUZZ_CHECK(again.entries[0].port == entry->port && entry->port != 0);
    FUZZ_CHECK(again.entries[0].numeric == entry->numeric);
    /* What has no "*" is a destination, and allowed. */
    if (destination_parse(&to, bytes_text(text), &err))
        FUZZ_CHECK(allow_has(list, &to) && allow_has(&again, &to));
    else
        FUZZ_CHECK(strchr(text, '*') != NULL);
    allow_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct allow_list list = {0};
    struct error err = {.code = ERROR_NONE};
    bool ok = allow_add_file(&list, bytes_of(data, size), "input", &err);
    FUZZ_CHECK(ok == (err.code == ERROR_NONE));
    FUZZ_CHECK(list.count <= ALLOW_ENTRIES_MAX && (!ok || list.count > 0));
    for (size_t i = 0; i < list.count; i++)
        check_entry(&list, &list.entries[i]);
    allow_clear(&list);
    return 0;
}
