/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linked into every unit test: standard output goes out line by line even into a pipe, so that
 * tests/cmocka.py sees what was printed before a crash, in order with standard error.
 */
#include <stdio.h>

__attribute__((constructor)) static void print_line_by_line(void)
{
    (void)setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
}
