/* SPDX-License-Identifier: BSD-3-Clause
 * io_uring.c - the kernel's way to take back what is pending: io_uring's async cancel
 *
 * The requests are polls of an eventfd that never becomes ready. One thread submits, and its
 * completions are run in its own calls (DEFER_TASKRUN), where the kernel has that: nothing else
 * wakes up, and the ring's descriptor is not looked up.
 */
#include "io_uring.h"

#ifdef HAVE_LIBURING

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <liburing.h>

#include <rte_common.h>
#include <rte_cycles.h>

#define ENTRIES 1024u
#define CQ_ENTRIES 16384u /* the kernel's table of what is pending is sized by it */
#define MANY 1024u
#define DEPTH 65536u /* of the figure that names none */
#define SAMPLES_MAX 6000u
#define SECONDS 3.6
#define SECONDS_QUICK 0.9

/* keys: a request's place + 1, those that are cancelled together, the cancel itself */
#define MANY_KEY (UINT64_C(1) << 40)
#define CANCEL_KEY (UINT64_C(1) << 41)

static const unsigned int pending[] = {1024, 4096, DEPTH};

struct kernel_queue {
	struct io_uring ring;
	int fd;
	unsigned int nb;      /* requests pending */
	bool *gone;           /* of each place, cancelled */
	uint64_t random;
};

static int refuse(int error)
{
	const char *cure = "see dmesg";

	switch (error) {
	case EPERM:
	case EACCES:
		cure = "allow it: sysctl kernel.io_uring_disabled=0, and in the container's seccomp profile";
		break;
	case ENOSYS:
	case EINVAL: cure = "it wants Linux 5.19 or later, built with CONFIG_IO_URING"; break;
	case ENOMEM: cure = "raise the limit of locked memory: ulimit -l"; break;
	case EMFILE: cure = "raise the limit of open files: ulimit -n"; break;
	}
	fprintf(stderr, "vnic-bench: io_uring: %s: left out; %s\n", strerror(error), cure);
	return -1;
}

static int queue_open(struct kernel_queue *q, unsigned int nb)
{
	struct io_uring_params p = {.flags = IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER |
					     IORING_SETUP_DEFER_TASKRUN, .cq_entries = CQ_ENTRIES};
	int rc = io_uring_queue_init_params(ENTRIES, &q->ring, &p);

	if (rc == -EINVAL) { /* before Linux 6.1 */
		p = (struct io_uring_params){.flags = IORING_SETUP_CQSIZE, .cq_entries = CQ_ENTRIES};
		rc = io_uring_queue_init_params(ENTRIES, &q->ring, &p);
	}
	if (rc < 0)
		return refuse(-rc);
	io_uring_register_ring_fd(&q->ring); /* quicker, if it succeeds */
	q->fd = eventfd(0, EFD_NONBLOCK);
	q->gone = calloc(nb, sizeof(*q->gone));
	q->nb = 0;
	q->random = nb;
	return q->fd >= 0 && q->gone != NULL ? 0 : refuse(errno);
}

static void queue_close(struct kernel_queue *q)
{
	io_uring_queue_exit(&q->ring);
	if (q->fd >= 0)
		close(q->fd);
	free(q->gone);
}

/* Submit polls until `nb` are pending; each n-th has the key of the many. 0 or an errno. */
static int fill(struct kernel_queue *q, unsigned int nb, unsigned int each)
{
	while (q->nb < nb) {
		unsigned int n = 0;
		int rc;

		for (; n < ENTRIES && q->nb + n < nb; n++) {
			struct io_uring_sqe *sqe = io_uring_get_sqe(&q->ring);
			unsigned int at = q->nb + n;

			if (sqe == NULL)
				return EAGAIN;
			io_uring_prep_poll_add(sqe, q->fd, POLLIN);
			sqe->user_data = each != 0 && at % each == 0 ? MANY_KEY : at + 1;
		}
		rc = io_uring_submit(&q->ring);
		if (rc < (int)n)
			return rc < 0 ? -rc : EAGAIN;
		q->nb += n;
	}
	return 0;
}

/* Cancel what has the key, wait for `wanted` of its completions and the cancel's own; the time
 * of the last of them is in *seen. Returns how many were cancelled, or -errno. */
static int cancel(struct kernel_queue *q, uint64_t key, unsigned int wanted, uint64_t *seen)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&q->ring);
	unsigned int found = 0;
	int answer = 1;

	if (sqe == NULL)
		return -EAGAIN;
	io_uring_prep_cancel64(sqe, key, wanted > 1 ? IORING_ASYNC_CANCEL_ALL : 0);
	sqe->user_data = CANCEL_KEY;
	/* both completions in this one call */
	if (io_uring_submit_and_get_events(&q->ring) < 0)
		return -errno;
	while (answer == 1 || (answer >= 0 && found < wanted)) {
		struct io_uring_cqe *cqe;
		int rc = io_uring_wait_cqe(&q->ring, &cqe);

		if (rc < 0)
			return rc;
		if (cqe->user_data == key) {
			found += cqe->res == -ECANCELED;
			if (found == wanted)
				*seen = rte_rdtsc();
		} else if (cqe->user_data == CANCEL_KEY) {
			answer = cqe->res < 0 ? cqe->res : 2;
		}
		io_uring_cqe_seen(&q->ring, cqe);
	}
	return answer < 0 ? answer : (int)found;
}

/* A place whose request is pending still; none is taken twice. */
static unsigned int place(struct kernel_queue *q)
{
	unsigned int at;

	do {
		q->random = q->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		at = (unsigned int)(q->random >> 33) % q->nb;
	} while (q->gone[at]);
	q->gone[at] = true;
	return at;
}

static void put_row(struct bench *b, unsigned int depth, const char *pattern, unsigned int matches,
		    unsigned int round, double ns)
{
	fprintf(output_csv(&b->out, "cancel", "design,load,depth,queues,pattern,matches,round,ns"),
		"io_uring,idle,%u,1,%s,%u,%u,%.0f\n", depth, pattern, matches, round, ns);
}

/* One filled queue: an eighth of it cancelled one by one. */
static int cancel_singly(struct bench *b, unsigned int depth, unsigned int round, struct samples *ns,
			 uint64_t end)
{
	struct kernel_queue q;
	int rc;

	if (queue_open(&q, depth) != 0)
		return -1;
	rc = -fill(&q, depth, 0);
	for (unsigned int i = 0; i < depth / 8 && rc == 0 && rte_rdtsc() < end && ns->nb < ns->room; i++) {
		uint64_t key = place(&q) + 1, call = rte_rdtsc(), seen = 0;

		rc = cancel(&q, key, 1, &seen);
		if (rc != 1)
			break;
		rc = 0;
		samples_add(ns, bench_ns(b, seen - call));
		put_row(b, depth, "single", 1, round, bench_ns(b, seen - call));
	}
	queue_close(&q);
	return rc == 0 ? 0 : refuse(rc < 0 ? -rc : ENODATA);
}

/* One filled queue: MANY of its requests cancelled at once. */
static int cancel_together(struct bench *b, unsigned int depth, unsigned int round, struct samples *ns)
{
	struct kernel_queue q;
	uint64_t call = 0, seen = 0;
	int rc;

	if (queue_open(&q, depth) != 0)
		return -1;
	rc = -fill(&q, depth, depth / MANY);
	if (rc == 0) {
		call = rte_rdtsc();
		rc = cancel(&q, MANY_KEY, MANY, &seen);
	}
	queue_close(&q);
	if (rc != (int)MANY)
		return refuse(rc < 0 ? -rc : ENODATA);
	samples_add(ns, bench_ns(b, seen - call));
	put_row(b, depth, "scattered", MANY, round, bench_ns(b, seen - call));
	return 0;
}

static double seconds_of(const struct bench *b)
{
	return b->conf.seconds > 0 ? b->conf.seconds : b->conf.quick ? SECONDS_QUICK : SECONDS;
}

static int singly(struct bench *b, unsigned int depth)
{
	unsigned int rounds = bench_rounds(b);
	struct samples all;
	char text[64];
	int rc = 0;

	samples_begin(&all, SAMPLES_MAX);
	for (unsigned int r = 0; r < rounds && rc == 0; r++) {
		uint64_t end = rte_rdtsc() +
			       (uint64_t)(seconds_of(b) * 1e9 * b->tsc_ghz / (rounds * RTE_DIM(pending)));

		do
			rc = cancel_singly(b, depth, r, &all, end);
		while (rc == 0 && rte_rdtsc() < end && all.nb < SAMPLES_MAX / rounds * (r + 1));
	}
	if (rc == 0 && all.nb != 0) {
		if (depth == pending[0])
			output_latency_head(&b->out, "io_uring, polls pending, us");
		snprintf(text, sizeof(text), "io_uring %u pending", depth);
		output_latency_row(&b->out, text, &all);
		snprintf(text, sizeof(text), "io_uring_cancel_p50_ns_depth_%u", depth);
		output_figure(&b->out, text, samples_median(&all));
		if (depth == DEPTH) {
			output_figure(&b->out, "io_uring_cancel_p50_ns", samples_median(&all));
			output_figure(&b->out, "io_uring_cancel_p99_ns", samples_percentile(&all, 99));
		}
	}
	samples_end(&all);
	return rc;
}

static int together(struct bench *b, unsigned int depth)
{
	struct samples all;
	char text[64];
	int rc = 0;

	samples_begin(&all, BENCH_ROUNDS_MAX);
	for (unsigned int r = 0; r < bench_rounds(b) && rc == 0; r++)
		rc = cancel_together(b, depth, r, &all);
	if (rc == 0) {
		snprintf(text, sizeof(text), "io_uring %u of %u by one key", MANY, depth);
		output_latency_row(&b->out, text, &all);
		snprintf(text, sizeof(text), "io_uring_cancel_%u_of_%u_us", MANY, depth);
		output_figure(&b->out, text, samples_median(&all) / 1e3);
	}
	samples_end(&all);
	return rc;
}

int io_uring_cancel(struct bench *b)
{
	int rc = 0;

	for (size_t i = 0; i < RTE_DIM(pending) && rc == 0; i++)
		rc = singly(b, pending[i]);
	for (size_t i = 0; i < RTE_DIM(pending) && rc == 0; i++)
		rc = together(b, pending[i]);
	return 0; /* what the kernel refuses has been said */
}

#else

int io_uring_cancel(struct bench *b)
{
	(void)b;
	fprintf(stderr, "vnic-bench: io_uring: built without liburing: left out; apt-get install "
		"liburing-dev, then meson setup --wipe and build again\n");
	return 0;
}

#endif
