/* SPDX-License-Identifier: Apache-2.0 */
/* enclavectl: the operator's and developer's tool on the untrusted side. */
#include "host/command.h"

int main(int argc, char **argv)
{
    return cli_main(&enclavectl, argc, argv);
}
