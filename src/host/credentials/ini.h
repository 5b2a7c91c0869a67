/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files in which AWS's tools keep profiles (AWS SDKs and Tools Reference Guide, "Shared config
 * and credentials files"): sections of `name = value` lines. # and ; start a comment at the start
 * of a line and after white space. A line that is indented further belongs to the one before it.
 * Names match in any case; of two equal names the last one counts. Results are views into the text.
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
 * is a shell command, in which # and ; mean something else.
 */
struct bytes ini_value(struct bytes text, enum ini_kind kind, const char *profile, const char *name,
                       bool keep_comment);

#endif
