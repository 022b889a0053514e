/* SPDX-License-Identifier: BSD-3-Clause
 * reload_come.c - what a reload adds: ports, adapters, faces
 *
 * A section that has changed is made anew, and its port may have to go first. If a new one cannot be, all
 * that has gone comes back.
 */
#include "reload_part.h"

#include <string.h>

#include "devargs.h"
#include "say.h"

static struct say_kind additions, losses;

/* ---- ports that are free ---- */

/* Has one that runs what this port names? */
static bool is_taken(const struct vnicd *d, const char *port)
{
	char what[CONF_TEXT + 16];
	bool taken = false;

	for (uint32_t i = 0; i < d->conf.nb_adapters; i++)
		taken |= d->conf.adapter[i].port[0] != '\0' &&
			 devargs_clash(port, d->conf.adapter[i].port, what, sizeof(what));
	for (uint32_t i = 0; i < d->conf.nb_faces; i++)
		taken |= devargs_clash(port, d->conf.face[i].port, what, sizeof(what));
	return taken;
}

static void close_port(struct vnicd *d, uint16_t port, bool *open, struct relay **relay)
{
	if (*open)
		reload_close_ports(d, &port, 1);
	if (*relay != NULL)
		relay_remove(*relay);
	*open = false;
	*relay = NULL;
}

void reload_close_new(struct reload *r)
{
	struct vnicd *n = r->next;

	for (uint32_t i = 0; i < n->conf.nb_adapters; i++)
		if (r->diff.adapter_from[i] == DIFFER_NEW)
			close_port(r->d, n->adapter[i].port, &n->adapter[i].port_open, &n->adapter[i].relay);
	for (uint32_t i = 0; i < n->conf.nb_faces; i++)
		if (r->diff.face_from[i] == DIFFER_NEW)
			close_port(r->d, n->face[i].port, &n->face[i].port_open, &n->face[i].relay);
}

int reload_open_free(struct reload *r)
{
	struct vnicd *n = r->next;
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < n->conf.nb_adapters; i++)
		if (r->diff.adapter_from[i] == DIFFER_NEW && n->conf.adapter[i].port[0] != '\0' &&
		    !is_taken(r->d, n->conf.adapter[i].port))
			rc = vnicd_adapter_open(n, i);
	for (uint32_t i = 0; rc == 0 && i < n->conf.nb_faces; i++)
		if (r->diff.face_from[i] == DIFFER_NEW && !is_taken(r->d, n->conf.face[i].port))
			rc = vnicd_face_open(n, i);
	r->d->relays = n->relays;
	if (rc == 0)
		return 0;
	reload_close_new(r);
	return reload_refuse(r, "%s", n->why);
}

/* ---- what stays ---- */

void reload_place(struct reload *r)
{
	struct vnicd *d = r->d, *n = r->next;

	n->nb_made = d->nb_made;
	n->relays = d->relays;
	for (uint32_t i = 0; i < n->conf.nb_adapters; i++)
		if (r->diff.adapter_from[i] != DIFFER_NEW)
			n->adapter[i] = d->adapter[r->diff.adapter_from[i]];
	for (uint32_t i = 0; i < n->conf.nb_faces; i++)
		if (r->diff.face_from[i] != DIFFER_NEW)
			n->face[i] = d->face[r->diff.face_from[i]];
	for (uint32_t i = 0; i < n->conf.nb_adapters; i++)
		n->adapter[i].conf = &n->conf.adapter[i];
	for (uint32_t i = 0; i < n->conf.nb_faces; i++)
		n->face[i].conf = &n->conf.face[i];
}

/* ---- what comes ---- */

static int open_adapter(struct vnicd *n, uint32_t i)
{
	return n->adapter[i].port_open ? 0 : vnicd_adapter_open(n, i);
}

static int open_face(struct vnicd *n, uint32_t i)
{
	return n->face[i].port_open ? 0 : vnicd_face_open(n, i);
}

static int create_adapter(struct vnicd *n, uint32_t i)
{
	return vnicd_lcore_choose(n, i) == 0 ? vnicd_adapter_create(n, i) : -1;
}

static int for_new(struct reload *r, int (*adapter)(struct vnicd *n, uint32_t i),
		   int (*face)(struct vnicd *n, uint32_t i))
{
	struct vnicd *n = r->next;
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < n->conf.nb_adapters; i++)
		if (r->diff.adapter_from[i] == DIFFER_NEW)
			rc = adapter(n, i);
	for (uint32_t i = 0; rc == 0 && i < n->conf.nb_faces; i++)
		if (r->diff.face_from[i] == DIFFER_NEW)
			rc = face(n, i);
	r->d->nb_made = n->nb_made;
	r->d->relays = n->relays;
	return rc;
}

int reload_open_rest(struct reload *r)
{
	return for_new(r, open_adapter, open_face);
}

static void say_added(struct reload *r, const char *kind, const char *name, const char *why)
{
	r->counts.added++;
	if (why != NULL)
		say_often(&additions, SAY_NOTICE, "%s %s: added again (%s has changed)", kind, name, why);
	else
		say_often(&additions, SAY_NOTICE, "%s %s: added", kind, name);
}

int reload_create(struct reload *r)
{
	const struct conf *conf = &r->next->conf;

	if (for_new(r, create_adapter, vnicd_face_create) != 0)
		return -1;
	for (uint32_t i = 0; i < conf->nb_adapters; i++)
		if (r->diff.adapter_from[i] == DIFFER_NEW)
			say_added(r, "adapter", conf->adapter[i].name, r->diff.adapter_why[i]);
	for (uint32_t i = 0; i < conf->nb_faces; i++)
		if (r->diff.face_from[i] == DIFFER_NEW)
			say_added(r, "face", conf->face[i].name, r->diff.face_why[i]);
	return 0;
}

/* ---- what comes back ---- */

static void destroy_new(struct reload *r)
{
	struct vnicd *n = r->next;

	for (uint32_t i = 0; i < n->conf.nb_faces; i++)
		if (r->diff.face_from[i] == DIFFER_NEW)
			vnic_face_destroy(n->face[i].face);
	for (uint32_t i = n->conf.nb_adapters; i-- > 0;)
		if (r->diff.adapter_from[i] == DIFFER_NEW)
			vnic_adapter_destroy(n->adapter[i].adapter);
	reload_close_new(r);
}

static void say_lost(struct reload *r, const char *kind, const char *name)
{
	say_often(&losses, SAY_ERROR, "%s %s: it has gone for a reload, and cannot come back: %s; mend that, and "
		  "reload again", kind, name, r->next->why);
}

static bool lacks_other(const struct reload *r, uint32_t i)
{
	const struct conf_adapter *a = &r->next->conf.adapter[i];
	bool lacks = r->adapter_failed[a->shares_index] && a->shares_index != i;

	for (uint32_t k = 0; k < a->nb_lower; k++)
		lacks |= r->adapter_failed[a->lower_index[k]];
	if (lacks)
		snprintf(r->next->why, sizeof(r->next->why), "an adapter that it names is not there");
	return lacks;
}

static void bring_adapter(struct reload *r, uint32_t i)
{
	struct vnicd *n = r->next;
	struct vnicd_adapter *a = &n->adapter[i];

	r->adapter_failed[i] = lacks_other(r, i) || open_adapter(n, i) != 0 || create_adapter(n, i) != 0;
	if (!r->adapter_failed[i])
		return;
	vnic_adapter_destroy(a->adapter);
	close_port(r->d, a->port, &a->port_open, &a->relay);
	say_lost(r, "adapter", n->conf.adapter[i].name);
}

static void bring_face(struct reload *r, uint32_t i)
{
	struct vnicd *n = r->next;
	struct vnicd_face *f = &n->face[i];

	r->face_failed[i] = r->adapter_failed[n->conf.face[i].adapter_index];
	if (r->face_failed[i])
		snprintf(n->why, sizeof(n->why), "its adapter is not there");
	r->face_failed[i] = r->face_failed[i] || open_face(n, i) != 0 || vnicd_face_create(n, i) != 0;
	if (!r->face_failed[i])
		return;
	close_port(r->d, f->port, &f->port_open, &f->relay);
	say_lost(r, "face", n->conf.face[i].name);
}

/* `next` is what the daemon was. */
static void turn_back(struct reload *r)
{
	struct vnicd *d = r->d, *n = r->next;

	n->conf = d->conf;
	memset(n->adapter, 0, sizeof(n->adapter));
	memset(n->face, 0, sizeof(n->face));
	for (uint32_t i = 0; i < d->conf.nb_adapters; i++)
		r->diff.adapter_from[i] = r->diff.adapter_stays[i] ? (int32_t)i : DIFFER_NEW;
	for (uint32_t i = 0; i < d->conf.nb_faces; i++)
		r->diff.face_from[i] = r->diff.face_stays[i] ? (int32_t)i : DIFFER_NEW;
}

/* Leave out of `next` what has failed. */
static void compact(struct reload *r)
{
	uint32_t place[CONF_ADAPTERS_MAX], nb = 0;
	struct vnicd *n = r->next;

	for (uint32_t i = 0; i < n->conf.nb_adapters; i++) {
		struct conf_adapter *c = &n->conf.adapter[nb];

		place[i] = nb;
		if (r->adapter_failed[i])
			continue;
		*c = n->conf.adapter[i];
		c->shares_index = place[c->shares_index];
		for (uint32_t k = 0; k < c->nb_lower; k++)
			c->lower_index[k] = place[c->lower_index[k]];
		n->adapter[nb] = n->adapter[i];
		r->diff.adapter_from[nb++] = r->diff.adapter_from[i];
	}
	n->conf.nb_adapters = nb;
	nb = 0;
	for (uint32_t i = 0; i < n->conf.nb_faces; i++) {
		if (r->face_failed[i])
			continue;
		n->conf.face[nb] = n->conf.face[i];
		n->conf.face[nb].adapter_index = place[n->conf.face[nb].adapter_index];
		n->face[nb] = n->face[i];
		r->diff.face_from[nb++] = r->diff.face_from[i];
	}
	n->conf.nb_faces = nb;
}

void reload_bring_back(struct reload *r)
{
	struct vnicd *n = r->next;

	destroy_new(r);
	turn_back(r);
	reload_place(r);
	for (uint32_t i = 0; i < n->conf.nb_adapters; i++)
		if (r->diff.adapter_from[i] == DIFFER_NEW)
			bring_adapter(r, i);
	for (uint32_t i = 0; i < n->conf.nb_faces; i++)
		if (r->diff.face_from[i] == DIFFER_NEW)
			bring_face(r, i);
	r->d->nb_made = n->nb_made;
	r->d->relays = n->relays;
	compact(r);
}
