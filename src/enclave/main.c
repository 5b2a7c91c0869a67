/* SPDX-License-Identifier: Apache-2.0 */
/* enclaved: what runs in an enclave. */
#include "enclave/platform.h"

int main(int argc, char **argv)
{
    return enclaved_main(argc, argv, &enclaved_platform);
}
