/* SPDX-License-Identifier: BSD-3-Clause
 * container.c - the container that this process is in, and how its maker gives it rights
 */
#include "container.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "rights.h"

#define KIND 32

/* Who has made it; false: nobody known. */
static bool find_kind(char kind[KIND])
{
	kind[0] = '\0';
	if (machine_has("/.dockerenv"))
		snprintf(kind, KIND, "docker");
	else if (machine_has("/run/.containerenv"))
		snprintf(kind, KIND, "podman");
	else
		machine_text(kind, KIND, "/run/systemd/container");
	return kind[0] != '\0';
}

/* "--cap-add=NET_ADMIN --cap-add=NET_RAW": docker's names are without cap_. */
static const char *cap_adds(struct check *c, uint64_t rights)
{
	char names[RIGHTS_TEXT], *rest = names, *name;
	const char *text = "";

	rights_text(rights, names);
	while ((name = strsep(&rest, ",")) != NULL) {
		for (char *at = name; *at != '\0'; at++)
			*at = (char)toupper((unsigned char)*at);
		text = TEXT("%s%s--cap-add=%s", text, *text != '\0' ? " " : "",
			    strncmp(name, "CAP_", 4) == 0 ? name + 4 : name);
	}
	return text;
}

const char *container_rerun(struct check *c, uint64_t rights)
{
	char kind[KIND], text[RIGHTS_TEXT];

	if (find_kind(kind) && (strcmp(kind, "docker") == 0 || strcmp(kind, "podman") == 0))
		return TEXT("%s run %s%s IMAGE", kind, geteuid() != 0 ? "--user root " : "",
			    cap_adds(c, rights));
	if (strcmp(kind, "systemd-nspawn") == 0)
		return TEXT("systemd-nspawn --capability=%s", rights_text(rights, text));
	/* of any other: which it has, and may have */
	return "capsh --print";
}
