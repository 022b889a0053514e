/* SPDX-License-Identifier: BSD-3-Clause
 * rights.h - capabilities(7) as sets of bits, and their names
 *
 * Main thread.
 */
#ifndef VNICD_RIGHTS_H
#define VNICD_RIGHTS_H

#include <stdint.h>

#include <linux/capability.h>

#define RIGHT(capability) (UINT64_C(1) << (capability))
#define RIGHTS_TEXT 1024

/* "cap_net_admin,cap_net_raw", as setcap reads them. */
const char *rights_text(uint64_t rights, char text[RIGHTS_TEXT]);
/* Those of this process, and those that its program's file gives to whoever runs it. */
uint64_t rights_own(void);
uint64_t rights_of_file(void);
/* Those that a file could give to this process, or to those that it starts. */
uint64_t rights_of_files_heeded(void);

#endif
