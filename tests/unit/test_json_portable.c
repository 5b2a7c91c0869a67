/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tests of JSON once more, over sources compiled for a processor without SSE2: the branch of
 * codec/json_plain.h that machines like the Graviton take.
 */
#ifdef __SSE2__
#error "tests/meson.build must compile this with -U__SSE2__"
#endif
#include "tests/unit/test_json.c"
