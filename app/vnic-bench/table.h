/* SPDX-License-Identifier: BSD-3-Clause
 * table.h - read a CSV file of this run back, by the names of its columns
 *
 * Main thread.
 */
#ifndef BENCH_TABLE_H
#define BENCH_TABLE_H

#include <stdbool.h>
#include <stdio.h>

#include "output.h"

#define TABLE_COLUMNS_MAX 16

struct table {
	FILE *file;
	char line[512];
	unsigned int nb_wanted;
	unsigned int column[TABLE_COLUMNS_MAX]; /* of the wanted ones, in the file */
	char *cell[TABLE_COLUMNS_MAX];          /* of the row, in the order wanted */
};

/* Has NAME.csv been written in this run? */
bool table_there(const struct output *o, const char *name);
/* The wanted columns, up to a NULL. -1: said. */
int table_open(struct table *t, const struct output *o, const char *name, const char *const wanted[]);
/* The next row's cells; false at the end. */
bool table_next(struct table *t);
void table_close(struct table *t);

#endif
