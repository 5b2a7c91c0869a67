/* SPDX-License-Identifier: Apache-2.0 */
/* The file of a list: lines of HOST:PORT, or the YAML of vsock-proxy, which libyaml reads. */
#include <stdlib.h>
#include <yaml.h>

#include "formats/text.h"
#include "host/relay/relay_allow.h"

static bool wrong_line(struct error *err, const char *name, size_t number, const struct error *why)
{
    return error_set(err, why->code == ERROR_MEMORY ? ERROR_MEMORY : ERROR_CONFIG,
                     "%.200s, line %zu: %s", name, number, why->cause);
}

/* --- lines of HOST:PORT ---------------------------------------------------------------------- */

static struct bytes without_comment(struct bytes line)
{
    return text_trim(bytes_of(line.at, text_find(line, '#')));
}

/* Whether the first line that says something is one word that can begin a destination. A line of
 * YAML with a mapping begins or ends with a sign, or has a blank. */
static bool has_lines(struct bytes text)
{
    struct bytes line = {0};
    while (line.len == 0 && text_line(&text, &line))
        line = without_comment(line);
    if (line.len == 0 || strchr("-%{&!?\"'\xef\xff\xfe", line.at[0]) != NULL)
        return false;
    for (size_t i = 0; i < line.len; i++)
        if (text_is_blank(line.at[i]))
            return false;
    return line.at[line.len - 1] != ':';
}

static bool add_lines(struct allow_list *list, struct bytes text, const char *name,
                      struct error *err)
{
    struct bytes line;
    for (size_t number = 1; text_line(&text, &line); number++) {
        struct error why = {0};
        line = without_comment(line);
        if (line.len > 0 && !allow_add(list, line, &why))
            return wrong_line(err, name, number, &why);
    }
    return true;
}

/* --- YAML: {allowlist: [{address: HOST, port: PORT}, ...]} ----------------------------------- */

/* What a mapping has under a name: NULL where it has nothing there, or more than one thing. */
static const yaml_node_t *member(yaml_document_t *doc, const yaml_node_t *mapping, const char *name)
{
    const yaml_node_t *found = NULL;
    if (mapping->type != YAML_MAPPING_NODE)
        return NULL;
    for (const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
         pair < mapping->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(doc, pair->key);
        if (key->type != YAML_SCALAR_NODE ||
            !bytes_equal_text(bytes_of(key->data.scalar.value, key->data.scalar.length), name))
            continue;
        if (found != NULL)
            return NULL;
        found = yaml_document_get_node(doc, pair->value);
    }
    return found;
}

/* A number as YAML writes it: 443, +443, 0x1bb, 0o673. Zero, which is no port, for what is none. */
static uint64_t number_of(const yaml_node_t *scalar)
{
    const char *text = (const char *)scalar->data.scalar.value, *all = text;
    int base = 10;
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'o')) {
        base = text[1] == 'x' ? 16 : 8;
        text += 2;
    } else if (text[0] == '+') {
        text++;
    }
    size_t digits = strspn(text, "0123456789abcdefABCDEF");
    char *end;
    uint64_t number = strtoull(text, &end, base); /* beyond 64 bits: the largest number */
    return end == text + digits && end == all + scalar->data.scalar.length ? number : 0;
}

static bool add_entry(struct allow_list *list, yaml_document_t *doc, const yaml_node_t *entry,
                      struct error *err)
{
    const yaml_node_t *address = member(doc, entry, "address"), *port = member(doc, entry, "port");
    if (address == NULL || port == NULL || address->type != YAML_SCALAR_NODE ||
        port->type != YAML_SCALAR_NODE)
        return error_set(err, ERROR_CONFIG,
                         "an entry of allowlist has an address and a port, each once");
    struct bytes host = bytes_of(address->data.scalar.value, address->data.scalar.length);
    return allow_add_pair(list, host, number_of(port), err);
}

static bool add_document(struct allow_list *list, yaml_document_t *doc, const char *name,
                         struct error *err)
{
    const yaml_node_t *root = yaml_document_get_root_node(doc);
    const yaml_node_t *entries = root == NULL ? NULL : member(doc, root, "allowlist");
    if (root != NULL && (entries == NULL || entries->type != YAML_SEQUENCE_NODE))
        return error_set(err, ERROR_CONFIG,
                         "%.200s has neither a list under allowlist: nor HOST:PORT on each line",
                         name);
    for (const yaml_node_item_t *item = root == NULL ? NULL : entries->data.sequence.items.start;
         item != NULL && item < entries->data.sequence.items.top; item++) {
        const yaml_node_t *entry = yaml_document_get_node(doc, *item);
        struct error why = {0};
        if (!add_entry(list, doc, entry, &why))
            return wrong_line(err, name, entry->start_mark.line + 1, &why);
    }
    return true;
}

/* Of several documents the first counts, as in vsock-proxy. */
static bool add_yaml(struct allow_list *list, struct bytes text, const char *name,
                     struct error *err)
{
    yaml_parser_t parser;
    yaml_document_t doc;
    if (yaml_parser_initialize(&parser) == 0)
        return error_set(err, ERROR_MEMORY, "no memory to read %.200s", name);
    yaml_parser_set_input_string(&parser, text.at, text.len);
    bool ok = yaml_parser_load(&parser, &doc) != 0;
    if (ok) {
        ok = add_document(list, &doc, name, err);
        yaml_document_delete(&doc);
    } else if (parser.error == YAML_MEMORY_ERROR) {
        error_set(err, ERROR_MEMORY, "no memory to read %.200s", name);
    } else {
        error_set(err, ERROR_CONFIG, "%.200s, line %zu: the YAML is wrong: %.100s", name,
                  parser.problem_mark.line + 1, parser.problem != NULL ? parser.problem : "");
    }
    yaml_parser_delete(&parser);
    return ok;
}

bool allow_add_file(struct allow_list *list, struct bytes text, const char *name, struct error *err)
{
    size_t before = list->count;
    if (!(has_lines(text) ? add_lines : add_yaml)(list, text, name, err))
        return false;
    return list->count > before ||
           error_set(err, ERROR_CONFIG, "%.200s does not name a destination", name);
}
