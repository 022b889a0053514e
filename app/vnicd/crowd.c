/* SPDX-License-Identifier: BSD-3-Clause
 * crowd.c - pollers that are in each other's way: what --check, a start and a reload say of them
 */
#include "crowd.h"

#include <stdio.h>

const char *crowd_name(struct crowd one)
{
	return one.data ? "data" : "control";
}

const char *crowd_shared(struct crowd one, struct crowd other, int cpu, char text[CROWD_TEXT])
{
	snprintf(text, CROWD_TEXT, "%s lcore %u and %s lcore %u share CPU %d", crowd_name(one), one.lcore,
		 crowd_name(other), other.lcore, cpu);
	return text;
}

const char *crowd_both(unsigned int lcore, char text[CROWD_TEXT])
{
	snprintf(text, CROWD_TEXT, "lcore %u does both data and control", lcore);
	return text;
}
