/* SPDX-License-Identifier: BSD-3-Clause
 * choice.c - which lcore does what
 */
#include "choice.h"

/* What there is to choose from. */
struct lcores {
	const unsigned int *id; /* the main one first */
	uint32_t nb;
};

static unsigned int nth_worker(const struct lcores *l, unsigned int n)
{
	return l->nb == 1 ? l->id[0] : l->id[1 + n % (l->nb - 1)];
}

/* Workers that do not control, in turn; the same one where there is no other. */
static unsigned int choose_data(const struct lcores *l, unsigned int control, unsigned int n)
{
	unsigned int workers = l->nb - 1, k = 0;

	if (workers < 2)
		return nth_worker(l, 0);
	if (control == l->id[0])
		return nth_worker(l, n);
	for (n %= workers - 1;; k++)
		if (nth_worker(l, k) != control && n-- == 0)
			return nth_worker(l, k);
}

static bool valid(const struct lcores *l, int64_t id)
{
	for (uint32_t i = 0; i < l->nb; i++)
		if ((int64_t)l->id[i] == id)
			return true;
	return false;
}

int choice_make(struct choice *c, const struct conf *conf, const unsigned int *lcore, uint32_t nb,
		char *why, size_t len)
{
	const struct lcores l = {.id = lcore, .nb = nb};
	int64_t wish = conf->global.control_lcore;

	if (wish >= 0 && !valid(&l, wish)) {
		snprintf(why, len, "%s: vnicd: control_lcore = %d is not an lcore of EAL; name it in EAL's "
			 "-l or --lcores", conf->path, (int)wish);
		return -1;
	}
	c->control = wish >= 0 ? (unsigned int)wish : nth_worker(&l, 0);
	for (uint32_t i = 0; i < conf->nb_adapters; i++) {
		const struct conf_adapter *a = &conf->adapter[i];

		if (a->lcore >= 0 && !valid(&l, a->lcore)) {
			snprintf(why, len, "%s: adapter %s: lcore = %d is not an lcore of EAL; name it in "
				 "EAL's -l or --lcores", conf->path, a->name, (int)a->lcore);
			return -1;
		}
		if (a->lcore >= 0)
			c->data[i] = (unsigned int)a->lcore;
		else if (a->nb_lower != 0) /* beside what it hands down to */
			c->data[i] = c->data[a->lower_index[0]];
		else
			c->data[i] = choose_data(&l, c->control, i);
	}
	return 0;
}
