/* SPDX-License-Identifier: BSD-3-Clause
 * bars.h - a histogram of times as rows of text
 *
 * Any thread, on its own histogram.
 */
#ifndef COMMON_BARS_H
#define COMMON_BARS_H

#include <stdio.h>

#include <vnic.h>

/* Half octaves, so that the shape shows on a terminal; the last thousandth is one row. The
 * values are ns. The label is a line of its own; NULL: none. */
void bars_print(FILE *f, const char *label, const struct vnic_histogram *h);

#endif
