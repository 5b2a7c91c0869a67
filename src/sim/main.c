/* SPDX-License-Identifier: Apache-2.0 */
/*
 * enclave-sim: stand-ins for what an enclave finds on Nitro hardware and in AWS. Real protocols and
 * real cryptography under roots of its own; never to be used in production.
 */
#include "sim/commands.h"

int main(int argc, char **argv)
{
    return cli_main(&enclave_sim, argc, argv);
}
