/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/arn.h"

#include "formats/text.h"

bool arn_is_account(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
    return text.len == ARN_ACCOUNT_LEN;
}

bool arn_parse(struct arn *out, struct bytes text)
{
    if (text.len == 0 || memchr(text.at, '*', text.len) != NULL ||
        memchr(text.at, '?', text.len) != NULL)
        return false;
    struct bytes rest = text;
    bool arn = bytes_equal_text(text_cut(&rest, ':'), "arn");
    out->partition = text_cut(&rest, ':');
    out->service = text_cut(&rest, ':');
    out->region = text_cut(&rest, ':');
    out->account = text_cut(&rest, ':');
    out->resource = rest;
    return arn && out->partition.len >= 3 && memcmp(out->partition.at, "aws", 3) == 0 &&
           arn_is_account(out->account) && out->resource.len > 0;
}

bool arn_is_principal(struct bytes text)
{
    static const struct {
        const char *service, *kind;
        bool session; /* the name of a session follows the name */
    } rows[] = {
        {"iam", "role", false},
        {"iam", "user", false},
        {"sts", "assumed-role", true},
        {"sts", "federated-user", false},
    };
    struct arn arn;
    if (!arn_parse(&arn, text) || arn.region.len > 0)
        return false;
    struct bytes name = arn.resource, kind = text_cut(&name, '/');
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (bytes_equal_text(arn.service, rows[i].service) && bytes_equal_text(kind, rows[i].kind))
            return name.len > 0 && (!rows[i].session || text_find(name, '/') < name.len - 1);
    return bytes_equal_text(arn.service, "iam") && bytes_equal_text(arn.resource, "root");
}

/* Letters, digits and "-". */
static bool is_word(struct bytes text, bool capitals)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
              (capitals && c >= 'A' && c <= 'Z')))
            return false;
    }
    return text.len > 0;
}

bool arn_is_key(struct bytes text)
{
    struct arn arn;
    if (!arn_parse(&arn, text))
        return false;
    struct bytes id = arn.resource;
    return bytes_equal_text(arn.service, "kms") && is_word(arn.region, false) &&
           bytes_equal_text(text_cut(&id, '/'), "key") && is_word(id, true);
}
