/* SPDX-License-Identifier: BSD-3-Clause
 * choice.c - which lcore does what
 */
#include "choice.h"

/* What there is to choose from. */
struct lcores {
	const unsigned int *id; /* the main one first */
	uint32_t nb;
};

static unsigned int first_worker(const struct lcores *l)
{
	return l->id[l->nb > 1];
}

static uint32_t load_of(const struct choice *c, const struct conf *conf, unsigned int lcore)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < conf->nb_adapters; i++)
		n += c->made[i] && c->data[i] == lcore;
	return n;
}

/* A worker that does not control, the one with the fewest adapters; the same one where there is no
 * other. */
static unsigned int choose_data(const struct choice *c, const struct conf *conf, const struct lcores *l)
{
	const unsigned int *best = NULL;

	for (uint32_t k = 1; k < l->nb; k++)
		if (l->id[k] != c->control &&
		    (best == NULL || load_of(c, conf, l->id[k]) < load_of(c, conf, *best)))
			best = &l->id[k];
	return best != NULL ? *best : first_worker(l);
}

static bool valid(const struct lcores *l, int64_t id)
{
	for (uint32_t i = 0; i < l->nb; i++)
		if ((int64_t)l->id[i] == id)
			return true;
	return false;
}

int choice_adapter(struct choice *c, const struct conf *conf, uint32_t i, const unsigned int *lcore,
		   uint32_t nb, char *why, size_t len)
{
	const struct lcores l = {.id = lcore, .nb = nb};
	const struct conf_adapter *a = &conf->adapter[i];

	if (a->lcore >= 0 && !valid(&l, a->lcore)) {
		snprintf(why, len, "%s: adapter %s: lcore = %d is not an lcore of EAL; name it in EAL's -l or "
			 "--lcores", conf->path, a->name, (int)a->lcore);
		return -1;
	}
	if (a->lcore >= 0)
		c->data[i] = (unsigned int)a->lcore;
	else if (a->nb_lower != 0) /* beside what it hands down to */
		c->data[i] = c->data[a->lower_index[0]];
	else
		c->data[i] = choose_data(c, conf, &l);
	c->made[i] = true;
	return 0;
}

int choice_make(struct choice *c, const struct conf *conf, const unsigned int *lcore, uint32_t nb,
		char *why, size_t len)
{
	const struct lcores l = {.id = lcore, .nb = nb};
	int64_t wish = conf->global.control_lcore;

	*c = (struct choice){0};
	if (wish >= 0 && !valid(&l, wish)) {
		snprintf(why, len, "%s: vnicd: control_lcore = %d is not an lcore of EAL; name it in EAL's "
			 "-l or --lcores", conf->path, (int)wish);
		return -1;
	}
	c->control = wish >= 0 ? (unsigned int)wish : first_worker(&l);
	for (uint32_t i = 0; i < conf->nb_adapters; i++)
		if (choice_adapter(c, conf, i, lcore, nb, why, len) != 0)
			return -1;
	return 0;
}
