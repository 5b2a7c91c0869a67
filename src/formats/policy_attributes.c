/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/policy_attributes.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"

#define FIRST_ITEMS 48 /* all registers and the usual other keys */

void policy_attributes_init(struct policy_attributes *a)
{
    memset(a, 0, sizeof *a);
    buffer_init(&a->text, POLICY_ATTRIBUTES_MAX);
}

void policy_attributes_clear(struct policy_attributes *a)
{
    free(a->items);
    buffer_clear(&a->text);
    a->items = NULL;
    a->count = a->cap = 0;
}

/* Makes room for one more item. As no name is empty, the limit of the text bounds their number. */
static bool grow(struct policy_attributes *a)
{
    if (a->count < a->cap)
        return true;
    size_t cap = a->cap == 0 ? FIRST_ITEMS : 2 * a->cap;
    struct policy_attribute *items = realloc(a->items, cap * sizeof *items);
    if (items == NULL)
        return false;
    a->items = items;
    a->cap = cap;
    return true;
}

void policy_attributes_add(struct policy_attributes *a, const char *prefix, struct bytes name,
                           struct bytes value)
{
    if (a->text.failed || !grow(a)) {
        a->text.failed = true;
        return;
    }
    size_t before = a->text.len;
    buffer_text(&a->text, prefix);
    buffer_append(&a->text, name);
    struct policy_attribute *item = &a->items[a->count++];
    /* policy_attributes_settle sets at, when the text does not move any more */
    item->name = bytes_of(NULL, a->text.len - before);
    buffer_append(&a->text, value);
    item->value = bytes_of(NULL, value.len);
}

void policy_attributes_add_register(struct policy_attributes *a, unsigned index, struct bytes value)
{
    char digits[2 * PCR_SIZE], name[16];
    if (index >= PCR_COUNT || value.len > PCR_SIZE)
        return;
    hex_encode(digits, value);
    struct bytes hex = bytes_of(digits, 2 * value.len);
    snprintf(name, sizeof name, "PCR%u", index);
    policy_attributes_add(a, POLICY_REGISTER_PREFIX, bytes_text(name), hex);
    if (index == 0)
        policy_attributes_add(a, POLICY_IMAGE_KEY, bytes_of(NULL, 0), hex);
}

void policy_attributes_add_document(struct policy_attributes *a, const struct attestation *document)
{
    for (unsigned i = 0; i < PCR_COUNT; i++)
        if ((document->pcr_present >> i & 1) != 0)
            policy_attributes_add_register(a, i, document->pcr[i]);
}

bool policy_attributes_settle(struct policy_attributes *a)
{
    if (a->text.failed)
        return false;
    const uint8_t *at = a->text.at;
    for (size_t i = 0; i < a->count; i++) {
        a->items[i].name.at = at;
        a->items[i].value.at = at + a->items[i].name.len;
        at = a->items[i].value.at + a->items[i].value.len;
    }
    return true;
}
