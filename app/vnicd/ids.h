/* SPDX-License-Identifier: BSD-3-Clause
 * ids.h - a face's id rules in words: "port 5001, vlan, flow"
 *
 * Any thread.
 */
#ifndef VNICD_IDS_H
#define VNICD_IDS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <vnic.h>

#define IDS_RULE_TEXT 48

/* A list of rules; no text at all is "flow". 0, or -1 and in `why` what is wrong and what is
 * allowed. */
int ids_read(const char *text, struct vnic_idrule rule[VNIC_IDRULES_MAX], uint32_t *nb, char *why,
	     size_t len);

/* A rule in the words that it is read from; `text` has room for IDS_RULE_TEXT. */
const char *ids_rule_text(const struct vnic_idrule *rule, char *text);

/* The part of the reference page about rules. */
void ids_reference(FILE *out);

#endif
