/* SPDX-License-Identifier: Apache-2.0 */
#include "host/credentials/ini.h"

#include <strings.h>

#include "formats/text.h"

/* The profile that a section header names, or an empty view: "profile x", "x" or "default". */
static struct bytes header_profile(struct bytes line, enum ini_kind kind)
{
    struct bytes name = text_trim(bytes_of(line.at + 1, text_find(bytes_from(line, 1), ']')));
    static const char word[] = "profile";
    size_t len = sizeof word - 1;
    bool prefixed =
        name.len > len && memcmp(name.at, word, len) == 0 && text_is_blank(name.at[len]);
    if (kind == INI_CONFIG && prefixed) {
        return text_unquote(text_trim(bytes_from(name, len)));
    }
    if (kind == INI_CONFIG && !bytes_equal_text(name, "default"))
        return bytes_of(NULL, 0);
    return name;
}

static struct bytes without_comment(struct bytes value)
{
    for (size_t i = 1; i < value.len; i++)
        if ((value.at[i] == '#' || value.at[i] == ';') && text_is_blank(value.at[i - 1]))
            return text_trim(bytes_of(value.at, i));
    return value;
}

struct scan {
    const char *profile;
    const char *name; /* NULL: only look whether the profile is there */
    enum ini_kind kind;
    bool keep_comment;
    bool seen;
    struct bytes value;
};

/* Takes a `name = value` line of the wanted profile. */
static void take_setting(struct scan *scan, struct bytes line)
{
    size_t equals = text_find(line, '=');
    if (scan->name == NULL || equals == line.len)
        return;
    struct bytes name = text_trim(bytes_of(line.at, equals));
    if (name.len != strlen(scan->name) ||
        strncasecmp((const char *)name.at, scan->name, name.len) != 0)
        return;
    struct bytes value = text_trim(bytes_from(line, equals + 1));
    if (!scan->keep_comment)
        value = without_comment(value);
    scan->value = value.len > 0 ? value : bytes_of("", 0);
}

static void scan_text(struct scan *scan, struct bytes text)
{
    struct bytes line;
    bool within = false;
    size_t indent = SIZE_MAX; /* of the last setting; lines indented further belong to it */
    while (text_line(&text, &line)) {
        struct bytes content = text_trim(line);
        if (content.len == 0 || content.at[0] == '#' || content.at[0] == ';')
            continue;
        size_t depth = (size_t)(content.at - line.at);
        if (content.at[0] == '[' && depth == 0) {
            within = bytes_equal_text(header_profile(content, scan->kind), scan->profile);
            scan->seen = scan->seen || within;
            indent = SIZE_MAX;
            continue;
        }
        if (depth > indent)
            continue;
        indent = depth;
        if (within)
            take_setting(scan, content);
    }
}

bool ini_has_profile(struct bytes text, enum ini_kind kind, const char *profile)
{
    struct scan scan = {.profile = profile, .kind = kind};
    scan_text(&scan, text);
    return scan.seen;
}

struct bytes ini_value(struct bytes text, enum ini_kind kind, const char *profile, const char *name,
                       bool keep_comment)
{
    struct scan scan = {
        .profile = profile, .name = name, .kind = kind, .keep_comment = keep_comment};
    scan_text(&scan, text);
    return scan.value;
}
