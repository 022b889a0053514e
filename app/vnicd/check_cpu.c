/* SPDX-License-Identifier: BSD-3-Clause
 * check_cpu.c - the CPUs of lcores: are they there, their own, near, isolated, and fast?
 */
#include "check.h"

#include <stdio.h>
#include <string.h>

#include "crowd.h"

#define ROLES (CONF_ADAPTERS_MAX + 1)

/* An lcore that polls all the time. */
struct role {
	unsigned int lcore;
	bool data;
	int node; /* of its port, -1: any */
	int cpu;
};

struct roles {
	uint32_t nb; /* data lcores first, then the one that controls */
	struct role role[ROLES];
};

static const cpu_set_t *cpus_of(const struct check *c, unsigned int lcore)
{
	for (uint32_t i = 0; i < c->args.nb_lcores; i++)
		if (c->args.lcore[i].id == lcore)
			return &c->args.lcore[i].cpus;
	return &c->args.lcore[0].cpus;
}

/* -1: it may run on several. */
static int cpu_of(const struct check *c, unsigned int lcore)
{
	const cpu_set_t *cpus = cpus_of(c, lcore);

	return CPU_COUNT(cpus) == 1 ? cpus_first(cpus) : -1;
}

static bool has_role(const struct roles *r, unsigned int lcore)
{
	for (uint32_t i = 0; i < r->nb; i++)
		if (r->role[i].lcore == lcore)
			return true;
	return false;
}

/* The node of the port that an adapter's packets go to. */
static int node_below(const struct conf *conf, const struct conf_adapter *a)
{
	while (a->nb_lower != 0)
		a = &conf->adapter[a->lower_index[0]];
	return check_port_node(conf->adapter[a->shares_index].port, -1);
}

static void roles_find(const struct check *c, struct roles *r)
{
	memset(r, 0, sizeof(*r));
	for (uint32_t i = 0; i < c->conf->nb_adapters; i++)
		if (!has_role(r, c->choice.data[i]))
			r->role[r->nb++] =
				(struct role){.lcore = c->choice.data[i],
					      .data = true,
					      .node = node_below(c->conf, &c->conf->adapter[i]),
					      .cpu = cpu_of(c, c->choice.data[i])};
	if (!has_role(r, c->choice.control))
		r->role[r->nb++] = (struct role){.lcore = c->choice.control,
						 .node = -1,
						 .cpu = cpu_of(c, c->choice.control)};
}

/* ---- a better choice ---- */

/* CPUs of the same core, itself among them. */
static void core_of(int cpu, cpu_set_t *core)
{
	machine_cpus(core, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
	CPU_SET((size_t)cpu, core);
}

/* The best CPU of those left: on the node, isolated, not the kernel's first. -1: none is left. */
static int best_cpu(const cpu_set_t *left, int node)
{
	cpu_set_t isolated;
	int best = -1, most = -1;

	machine_cpus(&isolated, "/sys/devices/system/cpu/isolated");
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		int points = 0;

		if (!CPU_ISSET(cpu, left))
			continue;
		points += node >= 0 && machine_node_of_cpu(cpu) == node ? 4 : 0;
		points += CPU_ISSET(cpu, &isolated) ? 2 : 0;
		points += cpu != 0;
		if (points > most) {
			most = points;
			best = cpu;
		}
	}
	return best;
}

static void take(cpu_set_t *left, int cpu, bool whole_core)
{
	cpu_set_t core;

	if (whole_core)
		core_of(cpu, &core);
	else
		CPU_ZERO(&core);
	CPU_SET((size_t)cpu, &core);
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &core))
			CPU_CLR((size_t)i, left);
}

/* Does the configuration name lcores by number? */
static bool names_lcores(const struct conf *conf)
{
	bool names = conf->global.control_lcore >= 0;

	for (uint32_t i = 0; i < conf->nb_adapters; i++)
		names |= conf->adapter[i].lcore >= 0;
	return names;
}

/* Numbers for lcores, by which the same roles come out: main, control, data. */
static unsigned int renumber(const struct check *c, struct roles *r, bool both)
{
	unsigned int next = 0, data = 2;

	for (uint32_t i = 0; i < c->args.nb_lcores; i++)
		next = RTE_MAX(next, c->args.lcore[i].id + 1);
	if (both)
		r->role[r->nb++] = (struct role){.lcore = next, .node = -1};
	if (names_lcores(c->conf))
		return c->args.lcore[0].id;
	for (uint32_t i = 0; i < r->nb; i++)
		r->role[i].lcore = r->role[i].data ? data++ : 1;
	return 0;
}

/* For the main lcore, which sleeps most of the time: a core that is left, a CPU that is, or that of
 * the one that controls. */
static int main_cpu(const struct roles *r, const cpu_set_t *left)
{
	cpu_set_t cpus;

	machine_cpus_usable(&cpus);
	for (uint32_t i = 0; i < r->nb; i++)
		take(&cpus, r->role[i].cpu, r->role[i].data);
	if (CPU_COUNT(left) != 0)
		return cpus_first(left);
	return CPU_COUNT(&cpus) != 0 ? cpus_first(&cpus) : r->role[r->nb - 1].cpu;
}

/* The command that gives a CPU, or a whole core, to each lcore that polls. NULL: there are too
 * few. */
static const char *better(struct check *c, bool cores)
{
	const char *text = "", *own = NULL;
	unsigned int main_lcore;
	struct roles r;
	cpu_set_t left;
	bool both;

	roles_find(c, &r);
	both = r.nb != 0 && r.role[r.nb - 1].data;
	main_lcore = renumber(c, &r, both);
	if (both && names_lcores(c->conf))
		own = TEXT("--set vnicd.control_lcore=%u", r.role[r.nb - 1].lcore);
	machine_cpus_usable(&left);
	for (uint32_t i = 0; i < r.nb; i++) {
		r.role[i].cpu = best_cpu(&left, r.role[i].node);
		if (r.role[i].cpu < 0)
			return NULL;
		take(&left, r.role[i].cpu, cores);
	}
	if (r.nb != 0 && !has_role(&r, main_lcore))
		text = TEXT(",%u@%d", main_lcore, main_cpu(&r, &left));
	for (uint32_t i = r.nb; i-- > 0;) /* control first, then data */
		text = TEXT("%s,%u@%d", text, r.role[i].lcore, r.role[i].cpu);
	return *text == '\0' ? NULL :
			       check_rerun(c,
					   TEXT("--lcores %s%s", text + 1,
						names_lcores(c->conf) ?
							TEXT(" --main-lcore %u", main_lcore) :
							""),
					   own, CHECK_LCORES);
}

/* ---- findings ---- */

/* Those of `wanted` that are not among `there`. */
static bool lacks(const cpu_set_t *wanted, const cpu_set_t *there, cpu_set_t *missing)
{
	CPU_AND(missing, wanted, there);
	CPU_XOR(missing, missing, wanted);
	return CPU_COUNT(missing) != 0;
}

static void check_there(struct check *c)
{
	cpu_set_t online, usable, wanted, missing;
	char text[CPUS_TEXT], have[CPUS_TEXT];
	const char *cure = better(c, false);

	CPU_ZERO(&wanted);
	for (uint32_t i = 0; i < c->args.nb_lcores; i++)
		CPU_OR(&wanted, &wanted, &c->args.lcore[i].cpus);
	machine_cpus(&online, "/sys/devices/system/cpu/online");
	machine_cpus_usable(&usable);
	if (cure == NULL)
		cure = check_rerun(c, TEXT("'--lcores=(0-2)@%d'", cpus_first(&usable)), NULL,
				   CHECK_LCORES);
	if (lacks(&wanted, &online, &missing))
		findings_add(&c->f, FINDING_ERROR, "CPUs",
			     TEXT("lcores are to have %s, online are %s", cpus_text(&missing, text),
				  cpus_text(&online, have)),
			     CHECK_NO_EAL, cure);
	else if (lacks(&wanted, &usable, &missing))
		findings_add(&c->f, FINDING_WARNING, "CPUs",
			     TEXT("lcores are to have %s, this process was given %s",
				  cpus_text(&missing, text), cpus_text(&usable, have)),
			     "others run there, or EAL does not start", cure);
	else
		findings_add(&c->f, FINDING_OK, "CPUs",
			     TEXT("lcores have %s of %s", cpus_text(&wanted, text),
				  cpus_text(&usable, have)),
			     "", "");
}

/* With another choice if there is one; else it is as good as it gets here, and as grave as `helpless`. */
static void add_crowd(struct check *c, enum finding_severity helpless, const char *subject,
		      const char *cause, const char *effect, const char *cure)
{
	if (cure != NULL)
		findings_add(&c->f, FINDING_WARNING, subject, cause, effect, cure);
	else
		findings_add(&c->f, helpless, subject, cause,
			     TEXT("%s; this machine has no CPU to spare", effect), "");
}

/* Who starts it is told what makes it many times slower. */
static enum finding_severity of_one_cpu(const struct check *c)
{
	return c->start ? FINDING_WARNING : FINDING_NOTICE;
}

static struct crowd crowd_of(const struct role *r)
{
	return (struct crowd){.lcore = r->lcore, .data = r->data};
}

/* Two that poll on one CPU, or on one core; a line for the first pair. */
static void check_crowd(struct check *c, const struct roles *r)
{
	for (uint32_t i = 0; i < r->nb; i++)
		for (uint32_t k = i + 1; k < r->nb; k++) {
			const struct role *x = &r->role[i], *y = &r->role[k];
			char text[CROWD_TEXT];
			cpu_set_t core;

			if (x->cpu < 0 || y->cpu < 0)
				continue;
			core_of(x->cpu, &core);
			if (!CPU_ISSET(y->cpu, &core))
				continue;
			if (x->cpu == y->cpu)
				add_crowd(c, of_one_cpu(c), "lcores",
					  TEXT("%s", crowd_shared(crowd_of(x), crowd_of(y), x->cpu, text)),
					  CROWD_SHARED_EFFECT, better(c, false));
			else
				add_crowd(c, FINDING_NOTICE, "hyperthreads",
					  TEXT("%s lcore %u on CPU %d and "
					       "%s lcore %u on CPU %d share a core",
					       crowd_name(crowd_of(x)), x->lcore, x->cpu,
					       crowd_name(crowd_of(y)), y->lcore, y->cpu),
					  "each halves the other's speed", better(c, true));
			return;
		}
	if (r->nb > 1)
		findings_add(&c->f, FINDING_OK, "lcores", "each that polls has a core of its own",
			     "", "");
}

/* One lcore for both. */
static void check_both(struct check *c, const struct roles *r)
{
	char text[CROWD_TEXT];

	if (r->nb != 0 && r->role[r->nb - 1].data)
		add_crowd(c, of_one_cpu(c), "lcores", TEXT("%s", crowd_both(c->choice.control, text)),
			  CROWD_BOTH_EFFECT, better(c, false));
}

/* Is there a CPU on that node? */
static bool node_has_cpu(int node)
{
	cpu_set_t usable, cpus;

	machine_cpus_usable(&usable);
	machine_cpus(&cpus, "/sys/devices/system/node/node%d/cpulist", node);
	CPU_AND(&cpus, &cpus, &usable);
	return CPU_COUNT(&cpus) != 0;
}

static void check_nodes(struct check *c)
{
	for (uint32_t i = 0; i < c->conf->nb_adapters; i++) {
		const struct conf_adapter *a = &c->conf->adapter[i];
		int cpu = cpus_first(cpus_of(c, c->choice.data[i])),
		    node = machine_node_of_cpu(cpu);
		int below = node_below(c->conf, a);

		if (below >= 0 && below != node)
			add_crowd(c, FINDING_NOTICE, "NUMA",
				  TEXT("adapter %s: its port is on node %d, CPU %d "
				       "of its data lcore %u on node %d",
				       a->name, below, cpu, c->choice.data[i], node),
				  "each packet crosses between them",
				  node_has_cpu(below) ? better(c, false) : NULL);
		if (a->numa_node >= 0 && a->numa_node != node)
			findings_add(
				&c->f,
				machine_has_node((int)a->numa_node) ? FINDING_WARNING :
								      FINDING_ERROR,
				"NUMA",
				TEXT("adapter %s: its memory is to be on node %d, CPU "
				     "%d of its data lcore %u is on node %d",
				     a->name, (int)a->numa_node, cpu, c->choice.data[i], node),
				machine_has_node((int)a->numa_node) ?
					"each queue is read across nodes" :
					"there is no such node: it does not start",
				check_rerun(c, NULL,
					    TEXT("--set 'adapter %s.numa_node=%d'", a->name, node),
					    NULL));
	}
}

/* CPUs of data lcores that lack something, as a list. */
static bool data_cpus(const struct roles *r, const cpu_set_t *without, cpu_set_t *cpus)
{
	CPU_ZERO(cpus);
	for (uint32_t i = 0; i < r->nb; i++)
		if (r->role[i].data && r->role[i].cpu >= 0 && !CPU_ISSET(r->role[i].cpu, without))
			CPU_SET((size_t)r->role[i].cpu, cpus);
	return CPU_COUNT(cpus) != 0;
}

static void check_isolation(struct check *c, const struct roles *r)
{
	cpu_set_t online, isolated, full, bare, both, none;
	char text[CPUS_TEXT], all[CPUS_TEXT];

	CPU_ZERO(&none);
	machine_cpus(&online, "/sys/devices/system/cpu/online");
	machine_cpus(&isolated, "/sys/devices/system/cpu/isolated");
	machine_cpus(&full, "/sys/devices/system/cpu/nohz_full");
	CPU_AND(&isolated, &isolated, &full);
	data_cpus(r, &none, &bare);
	CPU_AND(&both, &bare, &online);
	if (!CPU_EQUAL(&both, &bare) || CPU_COUNT(&bare) == 0 ||
	    CPU_COUNT(&bare) >= CPU_COUNT(&online))
		return; /* not there, or none is left for the kernel */
	cpus_text(&bare, all);
	if (!data_cpus(r, &isolated, &bare)) {
		findings_add(&c->f, FINDING_OK, "isolation",
			     TEXT("CPUs %s of data lcores are isolated, without a tick", all), "",
			     "");
		return;
	}
	machine_cpus(&isolated, "/sys/devices/system/cpu/isolated");
	findings_add(
		&c->f, FINDING_NOTICE, "isolation",
		TEXT(data_cpus(r, &isolated, &none) ? "CPUs %s of data lcores are not isolated" :
						      "CPUs %s of data lcores have a timer tick",
		     cpus_text(&bare, text)),
		"the kernel interrupts them, p99 suffers",
		ROOT(TEXT(
			"echo 'GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX isolcpus=%s nohz_full=%s rcu_nocbs=%s\"' "
			"> /etc/default/grub.d/vnicd.cfg && update-grub && reboot",
			all, all, all)));
}

static void check_governor(struct check *c, const struct roles *r)
{
	const char *command = "echo performance | tee", *which = "";
	char governor[64], last[64] = "";
	bool known = false, slow = false;

	for (uint32_t i = 0; i < r->nb; i++) {
		if (!machine_text(governor, sizeof(governor),
				  "/sys/devices/system/cpu/cpu%d/cpufreq/scaling_governor",
				  r->role[i].cpu))
			continue;
		known = true;
		if (strcmp(governor, "performance") == 0)
			continue;
		slow = true;
		snprintf(last, sizeof(last), "%s", governor);
		which = TEXT("%s%s%d", which, *which != '\0' ? "," : "", r->role[i].cpu);
		command = TEXT("%s /sys/devices/system/cpu/cpu%d/cpufreq/scaling_governor", command,
			       r->role[i].cpu);
	}
	if (slow)
		findings_add(&c->f, FINDING_NOTICE, "frequency",
			     TEXT("CPUs %s have the governor %s", which, last),
			     "they slow down, and figures vary", ROOT(command));
	else if (known)
		findings_add(&c->f, FINDING_OK, "frequency",
			     "CPUs that poll have the governor performance", "", "");
}

void check_cpus(struct check *c)
{
	struct roles r;

	if (c->args.nb_lcores == 0)
		return;
	roles_find(c, &r);
	if (!c->start)
		check_there(c);
	check_both(c, &r);
	check_crowd(c, &r);
	if (!c->start) /* the library looks at where memory came to lie */
		check_nodes(c);
	check_isolation(c, &r);
	check_governor(c, &r);
}
