/* SPDX-License-Identifier: BSD-3-Clause
 * role.h - who may do what at the control socket, by what the kernel says of the peer
 *
 * root and vnicd's own user are operators. The configuration names more of them, and readers, who
 * may ask but change nothing.
 *
 * Main thread.
 */
#ifndef VNICD_ROLE_H
#define VNICD_ROLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROLES_MAX 32 /* users and groups named */

/* The owner is root or vnicd's own user: what vnicd may do to files, he may without it. */
enum role { ROLE_NONE, ROLE_READER, ROLE_OPERATOR, ROLE_OWNER };

struct roles {
	uint32_t nb;
	struct {
		enum role role;
		bool group;
		uint32_t id;
	} entry[ROLES_MAX];
};

/* Add a list of users, by name or number, and @groups, separated by commas. 0, or -1 and in `why`
 * what is wrong and what to do. */
int roles_add(struct roles *roles, enum role role, const char *list, char *why, size_t len);
/* The role of who has connected by this socket, the higher one of two, and who that is. */
enum role roles_of_peer(const struct roles *roles, int fd, uint32_t *user);

#endif
