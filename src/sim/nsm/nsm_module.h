/* SPDX-License-Identifier: Apache-2.0 */
/* A simulated module that is ready to serve: its identity and its engine. */
#ifndef SIM_NSM_NSM_MODULE_H
#define SIM_NSM_NSM_MODULE_H

#include "sim/nsm/nsm_engine.h"

struct nsm_module {
    struct nsm_identity identity;
    struct nsm_engine *engine;
};

/*
 * Takes the identity from the folder state (makes it there if it is missing; NULL: a new one in
 * memory), makes an engine, checks that a first document verifies, and writes the root certificate
 * to the file root (PEM; NULL: nowhere).
 */
MUST_USE bool nsm_module_start(struct nsm_module *module, const struct nsm_engine_config *config,
                               const char *state, const char *root, struct error *err);
/* Safe on a zeroed struct. */
void nsm_module_stop(struct nsm_module *module);

/* Reads initial registers from a file of JSON (nsm_pcrs.h). ERROR_USAGE. */
MUST_USE bool nsm_module_read_pcrs(struct nsm_engine_config *config, const char *path,
                                   struct error *err);

#endif
