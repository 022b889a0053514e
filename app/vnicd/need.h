/* SPDX-License-Identifier: BSD-3-Clause
 * need.h - how many packet buffers a configuration needs, and how much memory
 *
 * Any thread.
 */
#ifndef VNICD_NEED_H
#define VNICD_NEED_H

#include <stdint.h>

#include "config.h"

/* Buffers of an adapter's port, and of a face's, by their place in the configuration. */
uint32_t need_adapter_mbufs(const struct conf *conf, uint32_t adapter);
uint32_t need_face_mbufs(const struct conf *conf, uint32_t face);
/* Do faces of this adapter hold anything of what it receives? */
bool need_receives(const struct conf *conf, uint32_t adapter);

/* About how many bytes of EAL's memory, of pages of that size, the port of an adapter takes, and of a
 * face; and what lies with an adapter's lcore: its queues, those of its faces, their NBLs. */
uint64_t need_adapter_port_bytes(const struct conf *conf, uint32_t adapter, uint64_t page);
uint64_t need_face_port_bytes(const struct conf *conf, uint32_t face, uint64_t page);
uint64_t need_adapter_bytes(const struct conf *conf, uint32_t adapter, uint64_t page);
/* Whatever the configuration is. */
uint64_t need_base_bytes(void);

#endif
