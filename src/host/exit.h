/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exit codes of enclavectl, the same for every command. They are stable, because scripts rely
 * on them. `enclavectl --help` prints them and docs/man/enclavectl.1 explains them.
 */
#ifndef HOST_EXIT_H
#define HOST_EXIT_H

/* identifier, code, what it means */
#define EXIT_CODES(X)                                                                   \
    X(EXIT_OK, 0, "done")                                                               \
    X(EXIT_REFUSED, 1, "the service answered with an error, a check or a child failed") \
    X(EXIT_USAGE, 2, "wrong usage: an option, an address or a payload")                 \
    X(EXIT_NETWORK, 3, "no connection, or it was lost before an answer")                \
    X(EXIT_TIMEOUT, 4, "the time limit was reached")                                    \
    X(EXIT_LOCAL, 5, "a local file, the credentials or the system failed")              \
    X(EXIT_ANSWER, 6, "the answer of the service is malformed")

enum exit_code {
#define EXIT_ENUM(id, code, text) id = (code),
    EXIT_CODES(EXIT_ENUM)
#undef EXIT_ENUM
};

#endif
