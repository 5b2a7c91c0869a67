/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that AWS's tools keep profiles in (AWS SDKs and Tools Reference Guide, "Shared config
 * and credentials files"): sections of `name = value` lines, # and ; comments at the start of a
 * line and behind white space, nested (further indented) lines, names in any case, the last of two
 * equal names wins. Views into the text; nothing is copied.
 */
#ifndef HOST_CREDENTIALS_INI_H
#define HOST_CREDENTIALS_INI_H

#include "base/bytes.h"

enum ini_kind {
    INI_CREDENTIALS, /* [NAME] */
    INI_CONFIG,      /* [profile NAME], [profile "NAME"] or [default] */
};

bool ini_has_profile(struct bytes text, enum ini_kind kind, const char *profile);

/*
 * The value of a profile's setting, trimmed; at is NULL if there is none. keep_comment: the value
 * is a shell command, to which # and ; mean something else.
 */
struct bytes ini_value(struct bytes text, enum ini_kind kind, const char *profile, const char *name,
                       bool keep_comment);

#endif
