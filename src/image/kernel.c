/* SPDX-License-Identifier: Apache-2.0 */
#include "image/kernel.h"

#include <elf.h>
#include <stdio.h>

#define HEAD_SIZE 4096 /* of a file: enough to recognise it */

/* x86: offsets of the boot flag, of the header's magic, and of the version's offset from 0x200. */
#define X86_BOOT_FLAG    0x1fe
#define X86_MAGIC        0x202
#define X86_VERSION      0x20e
#define X86_VERSION_BASE 0x200
/* arm64: the offset of the magic in the header of an Image. */
#define ARM64_MAGIC 0x38
/* A kernel packed into an EFI program (drivers/firmware/efi/libstub/zboot-header.S). */
#define ZBOOT_MAGIC 0x04

/* What people give in place of a kernel or a module, and what to do about it. */
static const struct {
    const char *magic;
    size_t len;
    const char *what;
} others[] = {
    {"\x7f"
     "ELF",
     4, "an ELF file"},
    {"\x1f\x8b", 2, "compressed with gzip: run gunzip on it first"},
    {"\xfd"
     "7zXZ",
     5, "compressed with xz: run unxz on it first"},
    {"\x28\xb5\x2f\xfd", 4, "compressed with zstd: run unzstd on it first"},
    {".eif", 4, "an EIF"},
    {"070701", 6, "a cpio archive"},
    {"#!", 2, "a script"},
};

static bool holds(struct bytes head, size_t offset, const char *magic, size_t len)
{
    return head.len >= offset + len && memcmp(head.at + offset, magic, len) == 0;
}

static const char *what_it_is(struct bytes head)
{
    if (head.len == 0)
        return "empty";
    if (holds(head, 0, "MZ", 2) && holds(head, ZBOOT_MAGIC, "zimg", 4))
        return "a compressed kernel in an EFI program (zboot, vmlinuz.efi): take the Image from "
               "which it was made, arch/arm64/boot/Image";
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (head.len >= others[i].len && memcmp(head.at, others[i].magic, others[i].len) == 0)
            return others[i].what;
    return "something else";
}

/* "6.12.1 (builder@host) #1 …": the first word, which does not depend on who built the kernel. */
static bool read_version(struct kernel *out, const struct input *input, struct bytes head,
                         struct error *err)
{
    uint8_t text[KERNEL_VERSION_SIZE];
    size_t got = 0, len = 0;
    size_t at = (size_t)(head.at[X86_VERSION] | head.at[X86_VERSION + 1] << 8);
    if (at != 0 && !input_peek(input, at + X86_VERSION_BASE, text, sizeof text - 1, &got, err))
        return false;
    while (len < got && text[len] > ' ' && text[len] < 0x7f)
        len++;
    if (len > 0)
        snprintf(out->version, sizeof out->version, "%.*s", (int)len, (const char *)text);
    return true;
}

bool kernel_identify(struct kernel *out, const struct input *input, struct error *err)
{
    uint8_t bytes[HEAD_SIZE];
    size_t got;
    *out = (struct kernel){.version = "unknown"};
    if (!input_peek(input, 0, bytes, sizeof bytes, &got, err))
        return false;
    struct bytes head = bytes_of(bytes, got);
    if (holds(head, X86_BOOT_FLAG, "\x55\xaa", 2) && holds(head, X86_MAGIC, "HdrS", 4)) {
        out->machine = MACHINE_X86_64;
        return head.len < X86_VERSION + 2 || read_version(out, input, head, err);
    }
    if (holds(head, ARM64_MAGIC, "ARM\x64", 4)) {
        out->machine = MACHINE_AARCH64;
        return true;
    }
    return error_set(
        err, ERROR_FORMAT,
        "%.200s is not a kernel (a bzImage for x86_64, an Image for aarch64): it is %s",
        input->path, what_it_is(head));
}

const char *const machine_names[] = {"x86_64", "aarch64", NULL};

const char *machine_name(enum machine machine)
{
    return machine_names[machine == MACHINE_X86_64 ? 0 : 1];
}

const char *machine_cmdline(enum machine machine)
{
    if (machine == MACHINE_X86_64)
        return "reboot=k panic=30 pci=off nomodules console=ttyS0 i8042.noaux i8042.nomux "
               "i8042.nopnp i8042.dumbkbd random.trust_cpu=on";
    return "reboot=k panic=30 pci=off nomodules console=ttyS0 random.trust_cpu=on root=/dev/ram0";
}

/* Reads the header of a 64-bit little-endian ELF file for the machine. */
static bool read_elf(const struct input *input, enum machine machine, const char *wanted,
                     Elf64_Ehdr *header, struct error *err)
{
    uint8_t bytes[HEAD_SIZE];
    size_t got;
    if (!input_peek(input, 0, bytes, sizeof bytes, &got, err))
        return false;
    if (got < sizeof *header || memcmp(bytes, ELFMAG, SELFMAG) != 0)
        return error_set(err, ERROR_FORMAT, "%.200s is not a %s: it is %s", input->path, wanted,
                         what_it_is(bytes_of(bytes, got)));
    memcpy(header, bytes, sizeof *header);
    unsigned want = machine == MACHINE_X86_64 ? EM_X86_64 : EM_AARCH64;
    if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
        header->e_machine != want)
        return error_set(err, ERROR_FORMAT, "%.200s is a %s for a machine other than %s",
                         input->path, wanted, machine_name(machine));
    return true;
}

bool elf_is_module(const struct input *input, enum machine machine, struct error *err)
{
    Elf64_Ehdr header;
    if (!read_elf(input, machine, "kernel module", &header, err))
        return false;
    return header.e_type == ET_REL ||
           error_set(err, ERROR_FORMAT, "%.200s is not a kernel module: it is a program or library",
                     input->path);
}

bool elf_is_program(const struct input *input, enum machine machine, bool *interpreted,
                    struct error *err)
{
    Elf64_Ehdr header;
    *interpreted = false;
    if (!read_elf(input, machine, "program", &header, err))
        return false;
    if (header.e_type != ET_EXEC && header.e_type != ET_DYN)
        return error_set(err, ERROR_FORMAT, "%.200s is not a program: it is an object file",
                         input->path);
    for (size_t i = 0; i < header.e_phnum; i++) {
        Elf64_Phdr segment;
        size_t got;
        uint64_t at = header.e_phoff + i * sizeof segment;
        if (at < header.e_phoff || at > INT64_MAX - sizeof segment)
            break;
        if (!input_peek(input, at, (uint8_t *)&segment, sizeof segment, &got, err))
            return false;
        if (got == sizeof segment && segment.p_type == PT_INTERP)
            *interpreted = true;
    }
    return true;
}
