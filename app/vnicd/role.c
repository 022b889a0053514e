/* SPDX-License-Identifier: BSD-3-Clause
 * role.c - who may do what at the control socket, by what the kernel says of the peer
 */
#include "role.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "options.h"
#include "words.h"

#define LIST_MAX 256
#define PEER_GROUPS 256 /* that are looked at; a user has far fewer */

static bool number_of(const char *text, uint32_t *id)
{
	uint64_t value;

	if (conf_number(text, 0, &value) != 0 || value >= UINT32_MAX)
		return false;
	*id = (uint32_t)value;
	return true;
}

static bool user_of(const char *name, uint32_t *id)
{
	const struct passwd *user = getpwnam(name);

	if (user == NULL)
		return number_of(name, id);
	*id = user->pw_uid;
	return true;
}

static bool group_of(const char *name, uint32_t *id)
{
	const struct group *group = getgrnam(name);

	if (group == NULL)
		return number_of(name, id);
	*id = group->gr_gid;
	return true;
}

int roles_add(struct roles *r, enum role role, const char *list, char *why, size_t len)
{
	char copy[LIST_MAX];

	snprintf(copy, sizeof(copy), "%s", list);
	for (struct words w = words_begin(copy); w.now != NULL; words_next(&w)) {
		bool group = w.now[0] == '@';
		uint32_t id;

		if (r->nb == ROLES_MAX) {
			snprintf(why, len, "more than %d users and groups: name a group that has them",
				 ROLES_MAX);
			return -1;
		}
		if (!(group ? group_of(w.now + 1, &id) : user_of(w.now, &id))) {
			snprintf(why, len, "no %s '%.64s' here: name one that 'getent %s' lists",
				 group ? "group" : "user", w.now + group, group ? "group" : "passwd");
			return -1;
		}
		r->entry[r->nb].role = role;
		r->entry[r->nb].group = group;
		r->entry[r->nb++].id = id;
	}
	return 0;
}

static bool in_group(gid_t own, const gid_t *more, size_t nb, uint32_t id)
{
	for (size_t i = 0; i < nb; i++)
		if (more[i] == id)
			return true;
	return own == id;
}

enum role roles_of_peer(const struct roles *r, int fd, uint32_t *user)
{
	enum role role = ROLE_NONE;
	gid_t groups[PEER_GROUPS];
	struct ucred peer;
	socklen_t len = sizeof(peer), bytes = sizeof(groups);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
		return ROLE_NONE;
	*user = peer.uid;
	if (peer.uid == 0 || peer.uid == geteuid())
		return ROLE_OWNER;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &bytes) != 0)
		bytes = 0; /* they are too many, or the kernel is old: its own group is known */
	for (uint32_t i = 0; i < r->nb; i++)
		if (r->entry[i].role > role &&
		    (r->entry[i].group ? in_group(peer.gid, groups, bytes / sizeof(gid_t), r->entry[i].id) :
					 r->entry[i].id == peer.uid))
			role = r->entry[i].role;
	return role;
}
