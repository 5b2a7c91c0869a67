/* SPDX-License-Identifier: Apache-2.0 */
/* enclaved: what runs in an enclave. */
#include "enclave/command_line.h"
#include "enclave/environment.h"

int main(int argc, char **argv)
{
    struct platform platform = enclaved_platform;
    platform.take_secrets = environment_take;
    return command_line_run(argc, argv, &platform, NULL);
}
