/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/kms/sts_form.h"

#include "base/hex.h"
#include "formats/text.h"
#include "sim/kms/kms_service.h"

void sts_form_init(struct sts_form *form)
{
    *form = (struct sts_form){0};
    buffer_init_secret(&form->text, KMS_BODY_MAX);
}

void sts_form_clear(struct sts_form *form)
{
    buffer_clear(&form->text);
}

/* Appends the text with its escapes replaced, and points *out to it. The room was reserved. */
static bool decode(struct sts_form *form, struct bytes text, struct bytes *out)
{
    size_t from = form->text.len;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];
        if (c == '%') {
            if (text.len - i < 3 || !hex_decode(&c, bytes_of(text.at + i + 1, 2)))
                return false;
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        if (c == 0)
            return false;
        buffer_byte(&form->text, c);
    }
    *out = bytes_of(form->text.at + from, form->text.len - from);
    return !form->text.failed;
}

struct bytes sts_form_value(const struct sts_form *form, const char *name)
{
    for (size_t i = 0; i < form->count; i++)
        if (bytes_equal_text(form->fields[i].name, name))
            return form->fields[i].value;
    return bytes_of(NULL, 0);
}

static bool take(struct sts_form *form, struct bytes pair)
{
    struct sts_field field;
    struct bytes name = text_cut(&pair, '=');
    if (form->count == STS_FIELDS_MAX || name.len == 0 || !decode(form, name, &field.name) ||
        !decode(form, pair, &field.value))
        return false;
    for (size_t i = 0; i < form->count; i++)
        if (bytes_equal(form->fields[i].name, field.name))
            return false;
    form->fields[form->count++] = field;
    return true;
}

bool sts_form_read(struct sts_form *form, struct bytes body, struct kms_failure *failure)
{
    bool good = buffer_reserve(&form->text, body.len + 1) != NULL;
    while (good && body.len > 0)
        good = take(form, text_cut(&body, '&'));
    return good || kms_fail(failure, "ValidationError", "The body is not a form.");
}
