/* SPDX-License-Identifier: BSD-3-Clause
 * check.c - would it run here, and how well?
 */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"

static void (*const parts[])(struct check *c) = {
	check_memory,
	check_cpus,
	check_ports,
	check_places,
	check_eal,
};

/* ---- for the parts ---- */

/* How many words of EAL's, from the i-th, are to be left out? */
static int left_out(const struct arguments *a, int i, const char *without)
{
	if (without == NULL)
		return 0;
	if (strcmp(without, CHECK_LCORES) == 0)
		return arguments_of_lcores(a, i);
	return strcmp(a->argv[i], without) == 0;
}

const char *check_rerun(struct check *c, const char *eal, const char *own, const char *without)
{
	const struct arguments *a = &c->args;
	const char *text = QUOTE(a->argv[0]);
	bool split = eal != NULL;

	for (int i = 1; i < a->argc; i++) {
		int n = left_out(a, i, without);

		if (n == 0)
			text = TEXT("%s %s", text, QUOTE(a->argv[i]));
		else
			i += n - 1;
		split = true;
	}
	if (eal != NULL)
		text = TEXT("%s %s", text, eal);
	return TEXT("%s%s%s%s%s", text, split ? " --" : "", c->own, own != NULL ? " " : "",
		    own != NULL ? own : "");
}

bool check_pci(const char *devargs, char address[16])
{
	unsigned int domain, bus, device, function;

	if (strncmp(devargs, "pci:", 4) == 0)
		devargs += 4;
	if (strcspn(devargs, ",") > 12 ||
	    (sscanf(devargs, "%4x:%2x:%2x.%1x", &domain, &bus, &device, &function) != 4 &&
	     (domain = 0, sscanf(devargs, "%2x:%2x.%1x", &bus, &device, &function) != 3)))
		return false;
	snprintf(address, 16, "%04x:%02x:%02x.%x", domain & 0xffff, bus & 0xff, device & 0xff,
		 function & 0xf);
	return true;
}

/* ---- a configuration ---- */

static void look(struct check *c, const struct conf *conf, int eal_argc, char **eal_argv)
{
	unsigned int lcore[RTE_MAX_LCORE];
	char why[512];

	c->conf = conf;
	arguments_read(&c->args, eal_argc, eal_argv);
	for (uint32_t i = 0; i < c->args.nb_lcores; i++)
		lcore[i] = c->args.lcore[i].id;
	if (c->args.nb_lcores == 0 ||
	    choice_make(&c->choice, conf, lcore, c->args.nb_lcores, why, sizeof(why)) != 0) {
		findings_add(&c->f, FINDING_ERROR, "lcores",
			     c->args.nb_lcores == 0 ? "EAL's arguments name none" : TEXT("%s", why),
			     "it does not start", check_rerun(c, NULL, NULL, CHECK_LCORES));
		c->args.nb_lcores = 0;
	}
	for (size_t i = 0; i < RTE_DIM(parts); i++)
		parts[i](c);
}

/* ---- at a start ---- */

void check_start(const struct conf *conf, int eal_argc, char **eal_argv, int argc, char **argv)
{
	static const enum say_level levels[FINDING_SEVERITIES] = {[FINDING_OK] = SAY_DEBUG,
								  [FINDING_NOTICE] = SAY_INFO,
								  [FINDING_WARNING] = SAY_WARNING,
								  [FINDING_ERROR] = SAY_DEBUG};
	struct check *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return;
	c->start = true;
	c->own = "";
	for (int i = 1; i < argc; i++)
		c->own = TEXT("%s %s", c->own, QUOTE(argv[i]));
	look(c, conf, eal_argc, eal_argv);
	for (uint32_t i = 0; i < c->f.nb; i++) {
		const struct finding *x = &c->f.finding[i];

		say(levels[x->severity], "%s: %s%s%s%s%s", x->subject, x->cause,
		    x->effect[0] != '\0' ? ": " : "", x->effect,
		    x->cure[0] != '\0' ? "; run: " : "", x->cure);
	}
	free(c);
}

/* ---- the command line ---- */

/* vnicd's words, sorted. */
struct asked {
	bool json;
	int nb_files;
	char **file;  /* behind --check */
	int nb_words; /* the rest, with the program's name, */
	char **word;  /* room for two more */
	bool config;  /* with --config among them */
};

bool check_asked(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--check") == 0)
			return true;
	return false;
}

static void sort_words(struct asked *a, int argc, char **argv)
{
	a->word[a->nb_words++] = argv[0];
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0) {
			a->json = true;
		} else if (strcmp(argv[i], "--check") == 0) {
			while (i + 1 < argc && argv[i + 1][0] != '-')
				a->file[a->nb_files++] = argv[++i];
		} else {
			a->config |= strncmp(argv[i], "-c", 2) == 0 ||
				     strncmp(argv[i], "--config", 8) == 0;
			a->word[a->nb_words++] = argv[i];
		}
	}
}

static const char *plural(uint32_t n)
{
	return n == 1 ? "" : "s";
}

static void print(const struct check *c, const struct asked *a, const char *name)
{
	const uint32_t *n = c->f.count;
	bool runs = n[FINDING_ERROR] == 0;

	if (a->json) {
		printf("{\"configuration\":");
		json_text(stdout, name);
		printf(",\"runs\":%s,\"errors\":%u,\"warnings\":%u,\"notices\":%u,\"findings\":",
		       runs ? "true" : "false", n[FINDING_ERROR], n[FINDING_WARNING],
		       n[FINDING_NOTICE]);
		findings_print_json(&c->f, stdout);
		printf("}\n");
		return;
	}
	findings_print(&c->f, stdout);
	printf("vnicd %s%s%s: %u error%s, %u warning%s, %u notice%s\n",
	       runs ? "would run" : "would not run", *name != '\0' ? " with " : "", name,
	       n[FINDING_ERROR], plural(n[FINDING_ERROR]), n[FINDING_WARNING],
	       plural(n[FINDING_WARNING]), n[FINDING_NOTICE], plural(n[FINDING_NOTICE]));
}

/* What conf_read() says is a finding, too. */
static enum conf_action read_config(struct check *c, struct conf *conf, const struct asked *a)
{
	char *said = NULL;
	size_t len;
	FILE *err = open_memstream(&said, &len);
	enum conf_action action = CONF_EXIT_ERROR;

	if (err == NULL)
		return action;
	action = conf_read(conf, a->nb_words, a->word, stdout, err);
	fclose(err);
	if (action == CONF_EXIT_ERROR) {
		said[strcspn(said, "\n")] = '\0';
		findings_add(&c->f, FINDING_ERROR, "configuration",
			     TEXT("%s", strncmp(said, "vnicd: ", 7) == 0 ? said + 7 : said),
			     "it does not start", TEXT("%s --reference", QUOTE(a->word[0])));
	}
	free(said);
	return action;
}

/* One configuration, NULL: only the machine. False: it would not run. */
static bool check_one(struct check *c, struct conf *conf, struct asked *a, char *file, int eal_argc,
		      char **eal_argv)
{
	int nb_words = a->nb_words;
	enum conf_action action = CONF_RUN;

	memset(c, 0, sizeof(*c));
	memset(conf, 0, sizeof(*conf));
	conf->global.control_lcore = -1;
	if (file != NULL) {
		a->word[a->nb_words++] = (char *)"--config";
		a->word[a->nb_words++] = file;
	}
	if (file != NULL || a->config || a->nb_words > 1)
		action = read_config(c, conf, a);
	c->own = "";
	for (int i = 1; i < a->nb_words; i++)
		c->own = TEXT("%s %s", c->own, QUOTE(a->word[i]));
	a->nb_words = nb_words;
	if (action == CONF_EXIT_OK)
		return true;
	if (action == CONF_RUN)
		look(c, conf, eal_argc, eal_argv);
	print(c, a, conf->path);
	return c->f.count[FINDING_ERROR] == 0;
}

int check_main(int eal_argc, char **eal_argv, int argc, char **argv)
{
	char *file[argc], *word[argc + 2];
	struct asked a = {.file = file, .word = word};
	struct check *c = calloc(1, sizeof(*c));
	struct conf *conf = calloc(1, sizeof(*conf));
	bool good = c != NULL && conf != NULL;

	if (!good)
		say(SAY_ERROR, "no memory; end some programs");
	sort_words(&a, argc, argv);
	if (good && a.nb_files == 0)
		good = check_one(c, conf, &a, NULL, eal_argc, eal_argv);
	for (int i = 0; c != NULL && conf != NULL && i < a.nb_files; i++)
		good &= check_one(c, conf, &a, a.file[i], eal_argc, eal_argv);
	free(conf);
	free(c);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
