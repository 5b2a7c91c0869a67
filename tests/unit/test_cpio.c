/* SPDX-License-Identifier: Apache-2.0 */
/* Ramdisks: cpio byte by byte as cpio(5) has it, and gzip that zlib reads back. */
#include "tests/unit/check.h"

#include <sys/mman.h>
#include <unistd.h>

#include <zlib.h>

#include "image/gzip.h"
#include "image/kernel.h"
#include "image/ramdisk.h"

static bool keep(void *context, struct bytes piece, struct error *err)
{
    (void)err;
    buffer_append(context, piece);
    return true;
}

static bool refuse(void *context, struct bytes piece, struct error *err)
{
    size_t *left = context;
    if (piece.len <= *left) {
        *left -= piece.len;
        return true;
    }
    return error_set(err, ERROR_SYSTEM, "full");
}

static void one_of_each(void **state)
{
    (void)state;
    BUFFER_AUTO out = {.limit = 1u << 16};
    struct error err = {0};
    struct cpio cpio = {.sink = keep, .context = &out};
    assert_true(cpio_folder(&cpio, "dev", 0755, &err));
    assert_true(cpio_device(&cpio, "dev/console", 0600, 5, 1, &err));
    assert_true(cpio_bytes(&cpio, "f", 0644, bytes_text("hello"), &err));
    assert_true(cpio_finish(&cpio, &err));
    /*
     * cpio(5): inode mode uid gid nlink mtime size devmajor devminor rmajor rminor namesize
     * check
     */
    static const char want[] = "070701"
                               "00000001"
                               "000041ed"
                               "00000000"
                               "00000000"
                               "00000002"
                               "00000000"
                               "00000000"
                               "00000000"
                               "00000000"
                               "00000000"
                               "00000000"
                               "00000004"
                               "00000000"
                               "dev\0\0\0"
                               "070701"
                               "00000002"
                               "00002180"
                               "00000000"
                               "00000000"
                               "00000001"
                               "00000000"
                               "00000000"
                               "00000000"
                               "00000000"
                               "00000005"
                               "00000001"
                               "0000000c"
                               "00000000"
                               "dev/console\0\0\0"
                               "070701"
                               "00000003"
                               "000081a4"
                               "00000000"
                               "00000000"
                               "00000001"
                               "00000000"
                               "00000005"
                               "00000000"
                               "00000000"
                               "00000000"
                               "00000000"
                               "00000002"
                               "00000000"
                               "f\0hello\0\0\0"
                               "070701"
                               "00000000"
                               "00000000"
                               "00000000"
                               "00000000"
                               "00000001"
                               "00000000"
                               "00000000"
                               "00000000"
                               "00000000"
                               "00000000"
                               "00000000"
                               "0000000b"
                               "00000000"
                               "TRAILER!!!";
    assert_int_equal(out.len, 512);
    assert_true(out.len >= sizeof want);
    assert_memory_equal(out.at, want, sizeof want);
    for (size_t i = sizeof want; i < out.len; i++)
        assert_int_equal(out.at[i], 0);
}

static void names_that_are_none(void **state)
{
    (void)state;
    BUFFER_AUTO out = {.limit = 1u << 16};
    struct error err = {0};
    struct cpio cpio = {.sink = keep, .context = &out};
    char name[CPIO_NAME_MAX + 2];
    memset(name, 'n', sizeof name);
    name[CPIO_NAME_MAX + 1] = '\0';
    assert_false(cpio_folder(&cpio, name, 0755, &err));
    assert_int_equal(err.code, ERROR_USAGE);
    name[CPIO_NAME_MAX] = '\0';
    assert_true(cpio_folder(&cpio, name, 0755, &err));
    assert_false(cpio_folder(&cpio, "", 0755, &err));
    assert_false(cpio_folder(&cpio, "/etc", 0755, &err));
}

/* A file as large as the format has room for, and one byte more; neither is read. */
static void files_that_are_too_large(void **state)
{
    (void)state;
    struct error err = {0};
    size_t room = 200;
    struct cpio cpio = {.sink = refuse, .context = &room};
    struct input input = {
        .fd = -1, .path = "large", .size = (uint64_t)CPIO_FILE_MAX + 1, .stop_fd = -1};
    assert_false(cpio_file(&cpio, "large", 0644, &input, &err));
    assert_int_equal(err.code, ERROR_USAGE);
    assert_non_null(
        strstr(err.cause, "4294967296 bytes; a file in a ramdisk has at most 4294967295"));
    assert_int_equal(room, 200);
    input.size = CPIO_FILE_MAX;
    assert_false(cpio_file(&cpio, "large", 0644, &input, &err));
    assert_int_equal(err.code, ERROR_SYSTEM);
}

/* Uncompresses a member and checks what stands around it. */
static void gunzip(struct bytes in, struct buffer *out)
{
    static const uint8_t head[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255};
    z_stream z = {.next_in = (z_const Bytef *)(uintptr_t)in.at, .avail_in = (uInt)in.len};
    int status = Z_OK;
    assert_memory_equal(in.at, head, sizeof head);
    assert_int_equal(in.len % 4, 0);
    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
    while (status == Z_OK) {
        z.next_out = buffer_reserve(out, 4096);
        assert_non_null(z.next_out);
        z.avail_out = 4096;
        status = inflate(&z, Z_NO_FLUSH);
        buffer_commit(out, 4096 - z.avail_out);
    }
    assert_int_equal(status, Z_STREAM_END); /* its CRC and length have been checked */
    assert_true(z.avail_in < 4);
    for (size_t i = 0; i < z.avail_in; i++)
        assert_int_equal(z.next_in[i], 0);
    assert_int_equal(inflateEnd(&z), Z_OK);
}

static void gzip_of_any_length(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 2, 3, 5, 300, 65535, 65536, 65537, 200000};
    static uint8_t data[200000];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i % 7 == 0 ? i >> 8 : i);
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        struct error err = {0};
        BUFFER_AUTO out = {.limit = 1u << 20};
        BUFFER_AUTO back = {.limit = 1u << 20};
        BUFFER_AUTO again = {.limit = 1u << 20};
        struct gzip *gzip = gzip_new(keep, &out);
        assert_true(gzip_write(gzip, bytes_of(data, lengths[i]), &err));
        assert_true(gzip_finish(gzip, &err));
        gzip_free(gzip);
        gunzip(buffer_bytes(&out), &back);
        assert_true(bytes_equal(buffer_bytes(&back), bytes_of(data, lengths[i])));
        /* In other pieces: the same bytes. */
        gzip = gzip_new(keep, &again);
        for (size_t at = 0; at < lengths[i]; at += 1000)
            assert_true(gzip_write(
                gzip, bytes_of(data + at, lengths[i] - at < 1000 ? lengths[i] - at : 1000), &err));
        assert_true(gzip_finish(gzip, &err));
        gzip_free(gzip);
        assert_true(bytes_equal(buffer_bytes(&again), buffer_bytes(&out)));
    }
}

static void entries_are_sorted_and_single(void **state)
{
    (void)state;
    struct error err = {0};
    BUFFER_AUTO out = {.limit = 1u << 16};
    BUFFER_AUTO other = {.limit = 1u << 16};
    struct ramdisk_entry entries[] = {
        {.kind = RAMDISK_BYTES, .name = "etc/a", .mode = 0644, .content = bytes_text("a")},
        {.kind = RAMDISK_FOLDER, .name = "etc", .mode = 0755},
        {.kind = RAMDISK_BYTES, .name = "b", .mode = 0644, .content = bytes_text("b")},
    };
    assert_true(ramdisk_write(entries, 3, -1, keep, &out, &err));
    assert_string_equal(entries[0].name, "b");
    assert_string_equal(entries[1].name, "etc");
    assert_true(ramdisk_write(entries, 3, -1, keep, &other, &err));
    assert_true(bytes_equal(buffer_bytes(&out), buffer_bytes(&other)));
    entries[0].name = "etc/a";
    assert_false(ramdisk_write(entries, 3, -1, keep, &other, &err));
    assert_non_null(strstr(err.cause, "two files of a ramdisk have the name etc/a"));
}

/* Wherever the sink is full, the failure is the sink's, and nothing leaks. */
static void a_sink_that_is_full(void **state)
{
    (void)state;
    struct ramdisk_entry entries[] = {
        {.kind = RAMDISK_BYTES, .name = "a", .mode = 0644, .content = bytes_text("content")}};
    for (size_t room = 0; room < 400; room++) {
        struct error err = {0};
        size_t left = room;
        bool written = ramdisk_write(entries, 1, -1, refuse, &left, &err);
        assert_int_equal(written, err.code == ERROR_NONE);
        if (!written)
            assert_string_equal(err.cause, "full");
        else
            assert_true(room > 40);
    }
}

static struct input file_of(const void *content, size_t len)
{
    struct input input = {
        .fd = memfd_create("file", MFD_CLOEXEC), .path = "file", .size = len, .stop_fd = -1};
    assert_int_equal(write(input.fd, content, len), len);
    return input;
}

static void kernels(void **state)
{
    (void)state;
    static uint8_t x86[0x2000], arm[64];
    struct kernel kernel;
    struct error err = {0};
    memcpy(x86 + 0x1fe, "\x55\xaaxxHdrS", 8);
    memcpy(x86 + 0x20e, "\x00\x10", 2);
    memcpy(x86 + 0x1200, "6.12.1-x (a@b) #1", 18);
    memcpy(arm + 0x38, "ARM\x64", 4);
    struct input input = file_of(x86, sizeof x86);
    assert_true(kernel_identify(&kernel, &input, &err));
    assert_int_equal(kernel.machine, MACHINE_X86_64);
    assert_string_equal(kernel.version, "6.12.1-x");
    close(input.fd);
    /* Its version would lie beyond the file: none is reported. */
    memcpy(x86 + 0x20e, "\xff\xff", 2);
    input = file_of(x86, sizeof x86);
    assert_true(kernel_identify(&kernel, &input, &err));
    assert_string_equal(kernel.version, "unknown");
    close(input.fd);
    input = file_of(arm, sizeof arm);
    assert_true(kernel_identify(&kernel, &input, &err));
    assert_int_equal(kernel.machine, MACHINE_AARCH64);
    close(input.fd);
    for (size_t len = 0; len < 0x206; len++) {
        input = file_of(x86, len);
        assert_false(kernel_identify(&kernel, &input, &err));
        close(input.fd);
    }
}

static void a_file_that_changes(void **state)
{
    (void)state;
    struct error err = {0};
    BUFFER_AUTO out = {.limit = 1u << 20};
    struct input input = file_of("0123456789", 10);
    assert_true(input_stream(&input, keep, &out, &err));
    assert_bytes(buffer_bytes(&out), "0123456789");
    input.size = 9;
    assert_false(input_stream(&input, keep, &out, &err));
    assert_non_null(strstr(err.cause, "changed while it was read"));
    input.size = 11;
    assert_false(input_stream(&input, keep, &out, &err));
    int stop[2];
    assert_int_equal(pipe(stop), 0);
    input.size = 10;
    input.stop_fd = stop[0];
    assert_true(input_stream(&input, keep, &out, &err));
    assert_int_equal(write(stop[1], "x", 1), 1);
    assert_false(input_stream(&input, keep, &out, &err));
    assert_non_null(strstr(err.cause, "interrupted"));
    close(stop[0]);
    close(stop[1]);
    close(input.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_of_each),
        cmocka_unit_test(names_that_are_none),
        cmocka_unit_test(files_that_are_too_large),
        cmocka_unit_test(gzip_of_any_length),
        cmocka_unit_test(entries_are_sorted_and_single),
        cmocka_unit_test(a_sink_that_is_full),
        cmocka_unit_test(kernels),
        cmocka_unit_test(a_file_that_changes),
    };
    return cmocka_run_group_tests_name("cpio", tests, NULL, NULL);
}
