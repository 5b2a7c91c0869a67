/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes out of the guest's console and of QEMU itself, line by line. It is always read, so
 * that the guest never waits for it; it is shown only if asked for, and then never so fast that it
 * fills a disk, nor so that a slow reader holds up anything: what is left out is counted and told.
 */
#ifndef SIM_VM_VM_CONSOLE_H
#define SIM_VM_VM_CONSOLE_H

#include "sim/event_loop.h"

#define VM_LINE_MAX          512  /* bytes; longer lines go on in the next */
#define VM_LINES_PER_SECOND  1000 /* shown */
#define VM_CONSOLE_PER_EVENT (64u << 10)

struct vm_lines {
    struct event_source source; /* fd -1: at its end */
    struct event_loop *loop;
    bool shown;
    const char *prefix; /* of each line that is shown */
    char line[VM_LINE_MAX + 1];
    size_t len;
    char last[VM_LINE_MAX + 1];  /* the last whole line that was not empty */
    char panic[VM_LINE_MAX + 1]; /* the first line that tells of a panic of the kernel */
    int64_t second_ms;           /* when the present second began */
    unsigned in_second;
    uint64_t left_out;
    void *context;
    void (*panicked)(void *context); /* NULL: nobody minds */
};

/* Reads fd, non-blocking, which stays the caller's. The other members are set before. */
MUST_USE bool vm_lines_start(struct vm_lines *lines, struct event_loop *loop, int fd,
                             struct error *err);
/* Reads what is still there, without waiting, and stops. Safe on a zeroed struct. */
void vm_lines_finish(struct vm_lines *lines);

#endif
