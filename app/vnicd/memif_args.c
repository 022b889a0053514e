/* SPDX-License-Identifier: BSD-3-Clause
 * memif_args.c - a memif device's arguments: what of them is ours, and the driver's own
 */
#include "memif_args.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_kvargs.h>

/* As the driver reads them. */
static int sort(const char *key, const char *value, void *opaque)
{
	struct memif_args *a = opaque;

	if (value == NULL)
		return -1;
	if (strcmp(key, "socket") == 0) {
		snprintf(a->socket, sizeof(a->socket), "%s", value);
		return 0;
	}
	if (strcmp(key, "socket-abstract") == 0) {
		a->abstract = strstr(value, "yes") != NULL;
		return 0;
	}
	if (strcmp(key, "zero-copy") == 0) {
		a->zero_copy = strstr(value, "yes") != NULL;
		return 0; /* see memif_args_finish() */
	}
	if (strcmp(key, "role") == 0)
		a->server = strstr(value, "server") != NULL || strstr(value, "master") != NULL;
	if (strcmp(key, "secret") == 0)
		snprintf(a->secret, sizeof(a->secret), "%s", value);
	if (strcmp(key, "id") == 0)
		a->id = (uint32_t)strtoul(value, NULL, 10);
	a->used += (size_t)snprintf(a->own + a->used, a->room - a->used, ",%s=%s", key, value);
	return a->used < a->room ? 0 : -1;
}

int memif_args_read(struct memif_args *a, const char *devargs, char *own, size_t room)
{
	size_t name = strcspn(devargs, ",");
	struct rte_kvargs *list;
	int rc;

	*a = (struct memif_args){.abstract = true, .socket = MEMIF_SOCKET, .own = own, .used = name,
				 .room = room};
	memcpy(own, devargs, name);
	list = rte_kvargs_parse(devargs[name] == ',' ? devargs + name + 1 : "role=client", NULL);
	rc = list == NULL ? -1 : rte_kvargs_process(list, NULL, sort, a);
	rte_kvargs_free(list);
	return rc != 0 ? -1 : 0;
}

void memif_args_finish(struct memif_args *a, const char *socket)
{
	/* the driver takes it of clients only; a server's is our leave for its clients, see
	 * handshake.c */
	bool zero_copy = a->zero_copy && !a->server;

	snprintf(a->own + a->used, a->room - a->used, "%s,socket=%s,socket-abstract=no",
		 zero_copy ? ",zero-copy=yes" : "", socket);
}
