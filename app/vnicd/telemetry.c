/* SPDX-License-Identifier: BSD-3-Clause
 * telemetry.c - /vnic/... on DPDK's telemetry socket
 *
 * The commands run in the telemetry library's own threads. It passes them no context, so
 * this file keeps the one pointer to the daemon.
 */
#include "vnicd.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_telemetry.h>

#include "answer.h"
#include "command.h"
#include "query.h"

#define FOLDER "/vnic/"
#define PARAM_MAX 256
#define PATH_MAX_LEN 64
#define HELP_MAX 128 /* the telemetry library's */
#define WAITING_MAX 4 /* operations, of the ten connections that it serves at once */

static struct vnicd *_Atomic daemon_now;
/* held by a command while it uses the daemon, so that the daemon does not end under it */
static pthread_rwlock_t in_use = PTHREAD_RWLOCK_INITIALIZER;
static _Atomic bool ending; /* who waits gives up */
/* held by a command while it looks at what the daemon consists of, which may change */
static pthread_rwlock_t looks = PTHREAD_RWLOCK_INITIALIZER;
static _Atomic bool changing; /* who comes waits before that lock */
static _Atomic uint32_t waiting; /* operations, also of clients that have gone */

static void look(void)
{
	while (atomic_load(&changing))
		sched_yield();
	pthread_rwlock_rdlock(&looks);
}

/* Until the operation ends. When its time is over, or the daemon ends, the request is
 * cancelled; what still holds it then has a reference of its own. */
static void wait_for(struct vnic_request *r, uint64_t timeout_ms)
{
	const struct timespec nap = {.tv_nsec = 20000};
	uint64_t end = rte_rdtsc() + timeout_ms * (rte_get_tsc_hz() / 1000);

	while (vnic_request_status(r) == VNIC_STATUS_PENDING) {
		if (rte_rdtsc() >= end || atomic_load(&ending)) {
			vnic_request_cancel(r);
			return;
		}
		nanosleep(&nap, NULL);
	}
}

/* Is there a place for one more that may wait? Questions are to find a connection. A cancel waits for
 * nobody but the lcores. */
static bool may_wait(const struct order *order)
{
	if (command_cancels(order) || atomic_fetch_add(&waiting, 1) < WAITING_MAX)
		return true;
	atomic_fetch_sub(&waiting, 1);
	return false;
}

static void waits_no_more(const struct order *order)
{
	if (!command_cancels(order))
		atomic_fetch_sub(&waiting, 1);
}

static bool is_there(const struct vnicd *d, const struct vnic_adapter *a)
{
	for (uint32_t i = 0; i < d->conf.nb_adapters; i++)
		if (d->adapter[i].adapter == a)
			return true;
	return false;
}

static void operate(struct vnicd *d, const struct command *command, char *words, struct answer *a)
{
	struct vnic_request *r;
	struct order order;
	char why[COMMAND_WHY];

	if (command_read(d, command, words, &order, why, sizeof(why)) != 0) {
		answer_error(a, "%s", why);
		return;
	}
	if (!may_wait(&order)) {
		answer_error(a, "%s: telemetry has %u operations pending already, and takes no more; ask by "
			     "vnicctl", command->name, WAITING_MAX);
		answer_error_busy(a);
		return;
	}
	r = vnic_request_create(d->control);
	if (r == NULL) {
		waits_no_more(&order);
		answer_error(a, "no memory for a request; end some programs");
		return;
	}
	command_issue(&order, r);
	pthread_rwlock_unlock(&looks);
	wait_for(r, order.timeout_ms);
	waits_no_more(&order);
	look();
	if (is_there(d, order.adapter))
		command_answer(&order, r, a);
	else
		answer_error(a, "the adapter is no more; list names those there are");
	vnic_request_release(r);
}

static void run_in(struct vnicd *d, const char *name, char *words, struct answer *a)
{
	const struct query *query = query_find(name, &words);
	const struct command *command = command_find(name);

	if (query != NULL && !query->changes)
		query_run(d, query, words, a);
	else if (command != NULL)
		operate(d, command, words, a);
	else
		answer_error(a, "%s: no such query", name);
}

static int run(const char *path, const char *params, struct rte_tel_data *data)
{
	struct answer a = answer_telemetry(data);
	char copy[PARAM_MAX];
	struct vnicd *d;

	snprintf(copy, sizeof(copy), "%s", params != NULL ? params : "");
	pthread_rwlock_rdlock(&in_use);
	look();
	d = atomic_load(&daemon_now);
	if (params != NULL && strlen(params) >= sizeof(copy))
		answer_error(&a, "the parameters have at most %d characters", PARAM_MAX - 1);
	else if (d == NULL)
		answer_error(&a, "vnicd is ending");
	else
		run_in(d, path + strlen(FOLDER), copy, &a);
	pthread_rwlock_unlock(&looks);
	pthread_rwlock_unlock(&in_use);
	answer_end(&a);
	return 0;
}

static void offer(const char *name, const char *what, const char *words)
{
	char path[PATH_MAX_LEN], help[HELP_MAX];

	snprintf(path, sizeof(path), FOLDER "%s", name);
	snprintf(help, sizeof(help), "%s. Parameters: %s", what, words);
	rte_telemetry_register_cmd(path, run, help);
}

int vnicd_telemetry_start(struct vnicd *d)
{
	char words[HELP_MAX];

	atomic_store(&daemon_now, d);
	for (size_t i = 0; i < nb_queries; i++) {
		if (queries[i].changes)
			continue;
		offer(queries[i].name, queries[i].help,
		      queries[i].words != NULL ? queries[i].words : "none");
	}
	for (size_t i = 0; i < nb_commands; i++)
		offer(commands[i].name, commands[i].help,
		      command_usage(&commands[i], words, sizeof(words)));
	return 0;
}

void vnicd_telemetry_keep_out(struct vnicd *d)
{
	atomic_store(&changing, true);
	while (pthread_rwlock_trywrlock(&looks) != 0)
		if (vnicd_lcores_poll_main(d) == 0)
			sched_yield();
}

void vnicd_telemetry_let_in(void)
{
	atomic_store(&changing, false);
	pthread_rwlock_unlock(&looks);
}

void vnicd_telemetry_stop(struct vnicd *d)
{
	atomic_store(&ending, true);
	/* a command may wait for what the main lcore's own polling brings */
	while (pthread_rwlock_trywrlock(&in_use) != 0)
		if (vnicd_lcores_poll_main(d) == 0)
			sched_yield();
	atomic_store(&daemon_now, NULL);
	pthread_rwlock_unlock(&in_use);
}
