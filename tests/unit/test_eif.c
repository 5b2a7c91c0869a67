/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The EIF's bytes and registers, against values that Python's struct, zlib and hashlib computed,
 * and files whose layout lies. Whole programs over real images: tests/system/test_image.py.
 */
#include "tests/unit/check.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/hex.h"
#include "image/eif_file.h"
#include "image/eif_signature.h"

/* Of the image below, by Python. */
#define FILE_SHA384                                    \
    "169e704915847e1dbf181954715f8bbd8aceb661c041b798" \
    "92352838e4bcbf0ed734a3746b66fcb89d9ae5ad443ea2a9"
#define FILE_CRC 0x48e83bc4
#define PCR0                                           \
    "295e86badf0389b9b4fbf1bfa21d122306a58aa7648846cd" \
    "d5375167a82509df0a04fc301186cc765713221ec6be410b"
#define PCR1                                           \
    "51eb4b1864f7617dd6e7c5d67941ca46791a03caa0d0404c" \
    "3d706573c6f4c30700520ae7bde62acde32098c944b93174"
#define PCR2                                           \
    "f4d3d355b1d7a674b58aa7c27ccd27cc40665ed50aa116bf" \
    "cecf510ba2fa4cd908be95397be478017896eeb46f3c092d"

struct part {
    uint16_t type;
    const char *data;
};

static const struct part parts[] = {{EIF_KERNEL, "kernel"},
                                    {EIF_CMDLINE, "cmdline"},
                                    {EIF_METADATA, "{}"},
                                    {EIF_RAMDISK, "first ramdisk"},
                                    {EIF_RAMDISK, "second"}};

struct image {
    struct eif_header header;
    struct buffer bytes;
};

/* Lays the sections out as the format has them; the tests then change the header, or bytes. */
static void lay_out(struct image *image, const struct part *from, size_t count)
{
    *image = (struct image){.header = {.version = EIF_VERSION,
                                       .default_memory = 1u << 28,
                                       .default_cpus = 2,
                                       .section_count = (uint16_t)count}};
    buffer_init(&image->bytes, 1u << 20);
    buffer_commit(&image->bytes,
                  buffer_reserve(&image->bytes, EIF_HEADER_SIZE) == NULL ? 0 : EIF_HEADER_SIZE);
    for (size_t i = 0; i < count; i++) {
        uint8_t at[EIF_SECTION_HEADER_SIZE];
        struct eif_section_header section = {.type = from[i].type, .size = strlen(from[i].data)};
        image->header.offset[i] = image->bytes.len;
        image->header.size[i] = section.size;
        eif_section_write(at, &section);
        buffer_append(&image->bytes, bytes_of(at, sizeof at));
        buffer_text(&image->bytes, from[i].data);
    }
    assert_false(image->bytes.failed);
}

/* Writes the header with the CRC of what stands there. */
static void seal(struct image *image)
{
    struct bytes whole = buffer_bytes(&image->bytes);
    eif_header_write(image->bytes.at, &image->header);
    uint32_t crc = eif_crc(0, bytes_of(whole.at, EIF_CRC_OFFSET));
    image->header.crc = eif_crc(crc, bytes_from(whole, EIF_HEADER_SIZE));
    eif_header_write(image->bytes.at, &image->header);
}

/* A file that goes with its descriptor; path has 64 bytes. */
static int to_file(const struct image *image, char *path)
{
    int fd = memfd_create("eif", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, image->bytes.at, image->bytes.len), image->bytes.len);
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

static void assert_register(const uint8_t got[SHA384_SIZE], const char *want)
{
    char hex[2 * SHA384_SIZE + 1] = "";
    hex_encode(hex, bytes_of(got, SHA384_SIZE));
    assert_string_equal(hex, want);
}

static void an_image_is_what_python_makes_it(void **state)
{
    (void)state;
    struct image image;
    lay_out(&image, parts, ARRAY_LEN(parts));
    seal(&image);
    uint8_t digest[SHA384_SIZE];
    assert_int_equal(image.header.crc, FILE_CRC);
    assert_true(sha384(digest, buffer_bytes(&image.bytes)));
    assert_register(digest, FILE_SHA384);
    struct eif_header again;
    struct error err;
    assert_true(eif_header_parse(&again, image.bytes.at, &err));
    assert_memory_equal(&again, &image.header, sizeof again);
    buffer_clear(&image.bytes);
}

static void sections_and_registers(void **state)
{
    (void)state;
    char path[64];
    struct image image;
    struct eif_file file;
    struct eif_measurements got;
    struct error err = {0};
    lay_out(&image, parts, ARRAY_LEN(parts));
    seal(&image);
    int fd = to_file(&image, path);
    if (!eif_file_open(&file, path, &err))
        fail_msg("%s", err.cause);
    assert_int_equal(file.section_count, ARRAY_LEN(parts));
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        BUFFER_AUTO data = {.limit = 64};
        assert_true(eif_file_read(&file, i, &data, &err));
        assert_bytes(buffer_bytes(&data), parts[i].data);
    }
    BUFFER_AUTO little = {.limit = 5};
    assert_false(eif_file_read(&file, 0, &little, &err));
    assert_int_equal(err.code, ERROR_FORMAT);
    assert_int_equal(eif_file_find(&file, EIF_RAMDISK), 3);
    assert_int_equal(eif_file_find(&file, EIF_SIGNATURE), EIF_NO_SECTION);
    assert_true(eif_file_measure(&file, &got, &err));
    assert_register(got.pcr0, PCR0);
    assert_register(got.pcr1, PCR1);
    assert_register(got.pcr2, PCR2);
    assert_false(got.is_signed);
    BUFFER_AUTO json = {.limit = 4096};
    eif_measurements_json(&got, &json);
    assert_bytes(buffer_bytes(&json), "{\"HashAlgorithm\": \"Sha384 { ... }\", \"PCR0\": \"" PCR0
                                      "\", \"PCR1\": \"" PCR1 "\", \"PCR2\": \"" PCR2 "\"}");
    int copy = memfd_create("copy", MFD_CLOEXEC);
    char back[32] = "";
    assert_true(eif_file_extract(&file, 3, copy, &err));
    assert_int_equal(pread(copy, back, sizeof back, 0), strlen(parts[3].data));
    assert_string_equal(back, parts[3].data);
    close(copy);
    eif_file_close(&file);
    eif_file_close(&file);
    close(fd);
    buffer_clear(&image.bytes);
}

/* One ramdisk: PCR2 is the register of no bytes at all, the same for every such image. */
static void the_register_of_nothing(void **state)
{
    (void)state;
    char path[64];
    struct image image;
    struct eif_file file;
    struct eif_measurements got;
    struct error err = {0};
    lay_out(&image, parts, 4);
    seal(&image);
    int fd = to_file(&image, path);
    assert_true(eif_file_open(&file, path, &err));
    assert_true(eif_file_measure(&file, &got, &err));
    assert_register(got.pcr2, "21b9efbc184807662e966d34f390821309eeac6802309798"
                              "826296bf3e8bec7c10edb30948c90ba67310f7b964fc500a");
    eif_file_close(&file);
    close(fd);
    /* Without a ramdisk there is nothing to measure. */
    buffer_clear(&image.bytes);
    lay_out(&image, parts, 3);
    seal(&image);
    fd = to_file(&image, path);
    assert_true(eif_file_open(&file, path, &err));
    assert_false(eif_file_measure(&file, &got, &err));
    assert_non_null(strstr(err.cause, "no ramdisk section"));
    eif_file_close(&file);
    close(fd);
    buffer_clear(&image.bytes);
}

static void change_nothing(struct image *image)
{
    (void)image;
}

static void shift_offset(struct image *image)
{
    image->header.offset[2]++;
}

static void overlap(struct image *image)
{
    image->header.offset[2]--;
}

static void outside(struct image *image)
{
    image->header.offset[4] = UINT64_MAX - 3;
}

static void last_byte(struct image *image)
{
    image->header.offset[4] = image->bytes.len - 1;
}

static void other_size(struct image *image)
{
    image->header.size[0]++;
}

/* Both sizes agree, and end far beyond the file. */
static void huge(struct image *image)
{
    uint8_t *at = image->bytes.at + image->header.offset[4];
    struct eif_section_header section;
    eif_section_parse(&section, at);
    section.size = image->header.size[4] = UINT64_MAX - 100;
    eif_section_write(at, &section);
}

static void too_new(struct image *image)
{
    image->header.version = 5;
}

static void too_many(struct image *image)
{
    image->header.section_count = EIF_SECTIONS_MAX + 1;
}

static void too_few(struct image *image)
{
    image->header.section_count = 1;
}

static void trailing(struct image *image)
{
    buffer_byte(&image->bytes, 0);
}

static void shorter(struct image *image)
{
    image->bytes.len--;
}

static void no_header(struct image *image)
{
    image->bytes.len = EIF_HEADER_SIZE - 1;
}

static void layouts_that_lie_are_refused(void **state)
{
    (void)state;
    static const struct {
        void (*change)(struct image *);
        const char *said; /* NULL: nothing is wrong */
    } cases[] = {
        {change_nothing, NULL},
        {shift_offset, "section 2 begins at 586: a gap of 1 bytes after 585"},
        {overlap, "section 2 begins at 584: it overlaps the previous one, which ends at 585"},
        {outside, "section 4 begins at 18446744073709551612"},
        {last_byte, "section 4 begins at"},
        {other_size, "section 0 (kernel) has 7 bytes by the file's header, 6 by its own"},
        {huge, "section 4 (ramdisk) has 18446744073709551515 bytes; only 6 are left"},
        {too_new, "the version is 5; only version 4 is supported"},
        {too_many, "counts 33 sections"},
        {too_few, "counts 1 sections"},
        {trailing, "1 bytes follow the last section"},
        {shorter, "section 4 (ramdisk) has 6 bytes; only 5 are left"},
        {no_header, "it has 547 bytes; the header alone has 548"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char path[64];
        struct image image;
        struct eif_file file;
        struct error err = {0};
        lay_out(&image, parts, ARRAY_LEN(parts));
        cases[i].change(&image);
        size_t len = image.bytes.len;
        seal(&image);
        image.bytes.len = len;
        int fd = to_file(&image, path);
        bool opened = eif_file_open(&file, path, &err);
        if (opened != (cases[i].said == NULL) ||
            (!opened && (err.code != ERROR_FORMAT || strstr(err.cause, cases[i].said) == NULL)))
            fail_msg("case %zu: %s", i, err.cause);
        eif_file_close(&file);
        close(fd);
        buffer_clear(&image.bytes);
    }
}

static void what_is_no_file(void **state)
{
    (void)state;
    struct eif_file file;
    struct error err = {0};
    assert_false(eif_file_open(&file, "/nowhere/at all", &err));
    assert_int_equal(err.code, ERROR_SYSTEM);
    assert_false(eif_file_open(&file, "/dev/null", &err));
    assert_non_null(strstr(err.cause, "not a regular file"));
    uint8_t header[EIF_HEADER_SIZE] = {0x7f, 'E', 'L', 'F'};
    struct eif_header parsed;
    assert_false(eif_header_parse(&parsed, header, &err));
    assert_non_null(strstr(err.cause, "7f 45 4c 46"));
}

static void the_crc_goes_on(void **state)
{
    (void)state;
    uint32_t part = eif_crc(0, bytes_text("1234"));
    assert_int_equal(eif_crc(eif_crc(part, bytes_of(NULL, 0)), bytes_text("56789")), 0xcbf43926);
}

static void signature_sections(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        const char *said; /* NULL: good */
    } cases[] = {
        {"81a2737369676e696e675f63657274696669636174658218201841697369676e61747572658101", NULL},
        /* the other order */
        {"81a2697369676e61747572658101737369676e696e675f6365727469666963617465821820"
         "1841",
         NULL},
        {"80", "no signature"},
        {"a0", "not a CBOR array"},
        {"", "not a CBOR array"},
        {"8100", "not a map"},
        {"81a0", "missing"},
        {"81a1697369676e61747572658101", "missing"},
        {"81a2697369676e61747572658101697369676e61747572658101", "occurs twice"},
        {"81a1617800", "unknown"},
        {"81a1697369676e617475726581190100", "signature is not an array of bytes"},
        {"81a1697369676e61747572654101", "signature is not an array of bytes"},
        {"81a1697369676e61747572659bffffffffffffffff01", "signature is not an array of bytes"},
        {"82a2697369676e61747572658101737369676e696e675f63657274696669636174658101a0",
         "more than one"},
        {"81a2697369676e61747572658101737369676e696e675f6365727469666963617465810100",
         "something follows"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t raw[128];
        struct eif_signature got = {0};
        struct error err = {0};
        struct bytes hex = bytes_text(cases[i].hex);
        assert_true(hex_decode(raw, hex));
        bool good = eif_signature_parse(&got, bytes_of(raw, hex.len / 2), &err);
        if (good != (cases[i].said == NULL) || (!good && strstr(err.cause, cases[i].said) == NULL))
            fail_msg("case %zu: %s", i, err.cause);
        if (good) {
            assert_bytes(buffer_bytes(&got.certificate), " A");
            assert_bytes(buffer_bytes(&got.cose), "\x01");
        }
        eif_signature_clear(&got);
    }
    BUFFER_AUTO out = {.limit = 256};
    uint8_t raw[128];
    assert_true(hex_decode(raw, bytes_text(cases[0].hex)));
    eif_signature_put(&out, bytes_text(" A"), bytes_text("\x01"));
    assert_true(bytes_equal(buffer_bytes(&out), bytes_of(raw, strlen(cases[0].hex) / 2)));
}

static void payloads(void **state)
{
    (void)state;
    uint8_t value[SHA384_SIZE], back[SHA384_SIZE];
    uint64_t index = 9;
    struct error err = {0};
    BUFFER_AUTO out = {.limit = 256};
    for (size_t i = 0; i < sizeof value; i++)
        value[i] = (uint8_t)(i * 5);
    eif_payload_put(&out, 0, value);
    assert_true(eif_payload_parse(buffer_bytes(&out), &index, back, &err));
    assert_int_equal(index, 0);
    assert_memory_equal(value, back, sizeof back);
    for (size_t len = 0; len < out.len; len++)
        assert_false(eif_payload_parse(bytes_of(out.at, len), &index, back, &err));
    buffer_byte(&out, 0);
    assert_false(eif_payload_parse(buffer_bytes(&out), &index, back, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_image_is_what_python_makes_it),
        cmocka_unit_test(sections_and_registers),
        cmocka_unit_test(the_register_of_nothing),
        cmocka_unit_test(layouts_that_lie_are_refused),
        cmocka_unit_test(what_is_no_file),
        cmocka_unit_test(the_crc_goes_on),
        cmocka_unit_test(signature_sections),
        cmocka_unit_test(payloads),
    };
    return cmocka_run_group_tests_name("eif", tests, NULL, NULL);
}
