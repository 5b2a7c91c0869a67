/* SPDX-License-Identifier: Apache-2.0 */
/* Registers as users give them: N=HEX, or JSON as nitro-cli prints it. */
#ifndef SIM_NSM_NSM_PCRS_H
#define SIM_NSM_NSM_PCRS_H

#include "sim/nsm/nsm_engine.h"

/* N=HEX, N 0..31, 96 hex digits. ERROR_USAGE. */
MUST_USE bool nsm_pcrs_parse(struct nsm_engine_config *config, const char *text, struct error *err);

/* JSON as measurements_read takes it. Registers that it does not name stay. ERROR_FORMAT,
 * ERROR_NOT_JSON. */
MUST_USE bool nsm_pcrs_from_json(struct nsm_engine_config *config, struct bytes text,
                                 struct error *err);

#endif
