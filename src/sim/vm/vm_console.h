/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The output of the guest's console and of QEMU itself, line by line. It is always read, so that
 * the guest never waits for it. It is shown only on request, at a limited rate so that it cannot
 * fill a disk, and without waiting for a slow reader; lines that are left out are counted and
 * reported.
 */
#ifndef SIM_VM_VM_CONSOLE_H
#define SIM_VM_VM_CONSOLE_H

#include "sim/event_loop.h"

#define VM_LINE_MAX          512  /* bytes; a longer line is split */
#define VM_LINES_PER_SECOND  1000 /* shown */
#define VM_CONSOLE_PER_EVENT (64u << 10)

struct vm_lines {
    struct event_source source; /* fd -1: the output has ended */
    struct event_loop *loop;
    bool shown;
    const char *prefix; /* of each line that is shown */
    char line[VM_LINE_MAX + 1];
    size_t len;
    char last[VM_LINE_MAX + 1];  /* the last whole line that was not empty */
    char panic[VM_LINE_MAX + 1]; /* the first line that reports a kernel panic */
    int64_t second_ms;           /* when the current second began */
    unsigned in_second;
    uint64_t left_out;
    void *context;
    void (*panicked)(void *context); /* called once, on a panic; may be NULL */
};

/* Reads fd, which is non-blocking and stays the caller's. The caller sets shown, prefix, context
 * and panicked before. */
MUST_USE bool vm_lines_start(struct vm_lines *lines, struct event_loop *loop, int fd,
                             struct error *err);
/* Reads what has arrived, without waiting, and stops. Safe on a zeroed struct. */
void vm_lines_finish(struct vm_lines *lines);

#endif
