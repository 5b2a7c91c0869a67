/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/check.h"

#include <dirent.h>

#include "codec/json.h"

/* Parses a copy that ends where the text ends, so that a sanitizer sees every byte read behind it.
 */
static enum error_code parse_copy(struct bytes text)
{
    struct json doc;
    struct error err = {.code = ERROR_NONE};
    uint8_t *copy = malloc(text.len + (text.len == 0));
    assert_non_null(copy);
    if (text.len > 0)
        memcpy(copy, text.at, text.len);
    json_init(&doc, JSON_DEPTH_MAX);
    bool ok = json_parse(&doc, bytes_of(copy, text.len), &err);
    assert_int_equal(ok, err.code == ERROR_NONE);
    assert_int_equal(ok, doc.count > 0);
    if (!ok)
        assert_true(err.cause[0] != '\0');
    json_clear(&doc);
    free(copy);
    return err.code;
}

static void suite(void **state)
{
    (void)state;
    SKIP_WITHOUT_VECTORS("JSONTestSuite");
    char folder[4200], path[4500];
    snprintf(folder, sizeof folder, "%s/json/test_parsing", vectors_folder());
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    int yes = 0, no = 0, either[2] = {0, 0}, wrong = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        const char *name = entry->d_name;
        if (strchr("yni", name[0]) == NULL || name[1] != '_')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, name);
        struct buffer text = read_whole_file(path);
        bool ok = parse_copy(buffer_bytes(&text)) == ERROR_NONE;
        buffer_clear(&text);
        yes += name[0] == 'y';
        no += name[0] == 'n';
        if (name[0] == 'i')
            either[ok]++;
        /* RFC 8259 lets a parser refuse names that are not unique, and we do. */
        bool duplicate = strncmp(name, "y_object_duplicated_key", 23) == 0;
        bool want = name[0] == 'y' && !duplicate;
        if (name[0] != 'i' && ok != want) {
            print_message("%s %s\n", ok ? "accepted" : "refused", name);
            wrong++;
        }
    }
    closedir(dir);
    print_message("JSONTestSuite: %d to accept, %d to refuse, %d wrong; of the %d left open, %d "
                  "accepted\n",
                  yes, no, wrong, either[0] + either[1], either[1]);
    assert_true(yes > 50 && no > 100);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(suite),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
