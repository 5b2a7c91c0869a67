/* SPDX-License-Identifier: Apache-2.0 */
#include "host/credentials/sts_answer.h"

#include <expat.h>

#include "host/wiping_memory.h"

#define DEPTH_MAX 16
#define PATH_SIZE 512 /* of the names from the root to an element */

struct reader {
    XML_Parser parser;
    struct sts_element *elements;
    size_t count;
    char path[PATH_SIZE];
    size_t lengths[DEPTH_MAX]; /* of path, before each element that is open */
    size_t depth;
    struct sts_element *open; /* the element asked for that is open now; NULL: none */
    bool failed;
};

static void fail(struct reader *r)
{
    r->failed = true;
    XML_StopParser(r->parser, XML_FALSE);
}

static void begin(void *context, const XML_Char *name, const XML_Char **attributes)
{
    (void)attributes;
    struct reader *r = context;
    size_t len = strlen(r->path), add = strlen(name);
    /* An element asked for has text and no elements. */
    if (r->open != NULL || r->depth == DEPTH_MAX || len + add + 2 > PATH_SIZE) {
        fail(r);
        return;
    }
    r->lengths[r->depth++] = len;
    if (len > 0)
        r->path[len++] = '/';
    memcpy(r->path + len, name, add + 1);
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->path, r->elements[i].path) == 0)
            r->open = &r->elements[i];
    if (r->open != NULL && r->open->found)
        fail(r);
    else if (r->open != NULL)
        r->open->found = true;
}

static void end(void *context, const XML_Char *name)
{
    (void)name;
    struct reader *r = context;
    if (r->failed) /* expat ends an empty element even where its begin stopped the parser */
        return;
    r->path[r->lengths[--r->depth]] = '\0';
    r->open = NULL;
}

static void take_text(void *context, const XML_Char *text, int len)
{
    struct reader *r = context;
    if (r->open == NULL)
        return;
    buffer_append(r->open->value, bytes_of(text, (size_t)len));
    if (r->open->value->failed)
        fail(r);
}

static void refuse_doctype(void *context, const XML_Char *name, const XML_Char *system,
                           const XML_Char *public, int internal)
{
    (void)name;
    (void)system;
    (void)public;
    (void)internal;
    fail(context);
}

bool sts_answer_read(struct bytes text, struct sts_element *elements, size_t count)
{
    const XML_Memory_Handling_Suite memory = {wiping_malloc, wiping_realloc, wiping_free};
    struct reader r = {.elements = elements, .count = count};
    if (text.len > STS_ANSWER_MAX)
        return false;
    r.parser = XML_ParserCreate_MM("UTF-8", &memory, NULL);
    if (r.parser == NULL)
        return false;
    XML_SetUserData(r.parser, &r);
    XML_SetElementHandler(r.parser, begin, end);
    XML_SetCharacterDataHandler(r.parser, take_text);
    XML_SetStartDoctypeDeclHandler(r.parser, refuse_doctype);
    enum XML_Status status =
        XML_Parse(r.parser, text.len > 0 ? (const char *)text.at : "", (int)text.len, XML_TRUE);
    XML_ParserFree(r.parser);
    return status == XML_STATUS_OK && !r.failed;
}
