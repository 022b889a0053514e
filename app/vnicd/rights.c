/* SPDX-License-Identifier: BSD-3-Clause
 * rights.c - capabilities(7) as sets of bits, and their names
 */
#include "rights.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/xattr.h>

#include "machine.h"

/* In the order of their numbers. */
static const char *const names[] = {
	"chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid",
	"setpcap", "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw",
	"ipc_lock", "ipc_owner", "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct",
	"sys_admin", "sys_boot", "sys_nice", "sys_resource", "sys_time", "sys_tty_config", "mknod",
	"lease", "audit_write", "audit_control", "setfcap", "mac_override", "mac_admin", "syslog",
	"wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf", "checkpoint_restore",
};

_Static_assert(RTE_DIM(names) == CAP_CHECKPOINT_RESTORE + 1, "a name for each");

const char *rights_text(uint64_t rights, char text[RIGHTS_TEXT])
{
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; i < RTE_DIM(names); i++)
		if (rights & RIGHT(i))
			n += (size_t)snprintf(text + n, RIGHTS_TEXT - n, "%scap_%s",
					      n != 0 ? "," : "", names[i]);
	return text;
}

static uint64_t of_process(const char *key, uint64_t otherwise)
{
	char text[64];

	return machine_line(text, sizeof(text), key, "/proc/self/status") ? strtoull(text, NULL, 16) :
									    otherwise;
}

uint64_t rights_own(void)
{
	return of_process("CapEff:", 0);
}

uint64_t rights_of_files_heeded(void)
{
	return of_process("NoNewPrivs:", 0) != 0 ? 0 : of_process("CapBnd:", UINT64_MAX);
}

uint64_t rights_of_file(void)
{
	struct vfs_ns_cap_data data;
	char path[MACHINE_PATH];

	/* that of a user namespace is longer */
	if (getxattr(machine_path(path, "/proc/self/exe"), "security.capability", &data,
		     sizeof(data)) < (ssize_t)XATTR_CAPS_SZ_2)
		return 0;
	return le32toh(data.data[0].permitted) | (uint64_t)le32toh(data.data[1].permitted) << 32;
}
