/* SPDX-License-Identifier: Apache-2.0 */
/* A simulated module, ready to serve: who it is, its engine, and proof that both fit. */
#ifndef SIM_NSM_NSM_MODULE_H
#define SIM_NSM_NSM_MODULE_H

#include "sim/nsm/nsm_engine.h"

struct nsm_module {
    struct nsm_identity identity;
    struct nsm_engine *engine;
};

/*
 * Takes the identity from the folder state (made there if it is missing; NULL: a new one, kept in
 * memory), makes an engine, checks that a first document verifies, and writes the root certificate
 * to the file root (PEM; NULL: not wanted).
 */
MUST_USE bool nsm_module_start(struct nsm_module *module, const struct nsm_engine_config *config,
                               const char *state, const char *root, struct error *err);
/* Safe on a zeroed struct. */
void nsm_module_stop(struct nsm_module *module);

/* Reads start registers from a file of JSON (nsm_pcrs.h). ERROR_USAGE. */
MUST_USE bool nsm_module_read_pcrs(struct nsm_engine_config *config, const char *path,
                                   struct error *err);

#endif
