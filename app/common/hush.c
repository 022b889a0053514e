/* SPDX-License-Identifier: BSD-3-Clause
 * hush.c - keep back what libraries print
 */
#include "hush.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void hush_begin(struct hush *h)
{
	fflush(stdout);
	fflush(stderr);
	h->out = dup(STDOUT_FILENO);
	h->err = dup(STDERR_FILENO);
	h->kept = memfd_create("hush", MFD_CLOEXEC);
	/* without descriptors it is merely not quiet */
	if (h->out >= 0 && h->err >= 0 && h->kept >= 0) {
		dup2(h->kept, STDOUT_FILENO);
		dup2(h->kept, STDERR_FILENO);
	}
}

void hush_end(struct hush *h, char said[HUSH_MAX])
{
	ssize_t n = 0;

	fflush(stdout);
	fflush(stderr);
	if (h->out >= 0 && h->err >= 0 && h->kept >= 0) {
		dup2(h->out, STDOUT_FILENO);
		dup2(h->err, STDERR_FILENO);
		n = pread(h->kept, said, HUSH_MAX - 1, 0);
	}
	said[n > 0 ? n : 0] = '\0';
	close(h->out);
	close(h->err);
	close(h->kept);
}

const char *hush_cause(char said[HUSH_MAX])
{
	char *save = NULL, *line;

	for (line = strtok_r(said, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		if (strstr(line, "Usage") != NULL)
			return NULL;
		/* EAL's greetings are none */
		if (strncmp(line, "EAL: Detected", 13) != 0 && strncmp(line, "EAL: Selected", 13) != 0)
			return line;
	}
	return NULL;
}
