/* SPDX-License-Identifier: BSD-3-Clause
 * table.c - read a CSV file of this run back, by the names of its columns
 */
#include "table.h"

#include <errno.h>
#include <string.h>

bool table_there(const struct output *o, const char *name)
{
	for (unsigned int i = 0; i < o->nb_files; i++)
		if (strcmp(o->file[i].name, name) == 0)
			return true;
	return false;
}

/* Split a line at its commas; how many cells, at most `max`. */
static unsigned int split(char *line, char **cell, unsigned int max)
{
	unsigned int nb = 0;

	line[strcspn(line, "\r\n")] = '\0';
	while (line != NULL && nb < max)
		cell[nb++] = strsep(&line, ",");
	return nb;
}

int table_open(struct table *t, const struct output *o, const char *name, const char *const wanted[])
{
	char path[OUTPUT_PATH + 64], *head[TABLE_COLUMNS_MAX];
	unsigned int nb, at;

	memset(t, 0, sizeof(*t));
	snprintf(path, sizeof(path), "%s/%s.csv", o->folder, name);
	fflush(NULL); /* what was put into it may still be on its way */
	t->file = fopen(path, "r");
	if (t->file == NULL || fgets(t->line, sizeof(t->line), t->file) == NULL) {
		fprintf(stderr, "vnic-bench: %s: %s; was it removed meanwhile?\n", path,
			t->file == NULL ? strerror(errno) : "empty");
		table_close(t);
		return -1;
	}
	nb = split(t->line, head, TABLE_COLUMNS_MAX);
	for (unsigned int i = 0; wanted[i] != NULL; i++) {
		for (at = 0; at < nb && strcmp(head[at], wanted[i]) != 0; at++)
			;
		if (at == nb) {
			fprintf(stderr, "vnic-bench: %s: no column %s: this is a bug\n", path, wanted[i]);
			table_close(t);
			return -1;
		}
		t->column[t->nb_wanted++] = at;
	}
	return 0;
}

bool table_next(struct table *t)
{
	char *cell[TABLE_COLUMNS_MAX];
	unsigned int nb;

	while (fgets(t->line, sizeof(t->line), t->file) != NULL) {
		bool whole = true;

		nb = split(t->line, cell, TABLE_COLUMNS_MAX);
		for (unsigned int i = 0; i < t->nb_wanted; i++) {
			whole = whole && t->column[i] < nb;
			t->cell[i] = whole ? cell[t->column[i]] : NULL;
		}
		if (whole)
			return true;
	}
	return false;
}

void table_close(struct table *t)
{
	if (t->file != NULL)
		fclose(t->file);
	t->file = NULL;
}
