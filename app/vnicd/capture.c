/* SPDX-License-Identifier: BSD-3-Clause
 * capture.c - packets into a file: those sent and those taken back, with the reason
 */
#include "capture.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <rte_errno.h>
#include <rte_lcore.h>

#include "answer.h"
#include "clock.h"
#include "options.h"
#include "say.h"
#include "vnicd.h"
#include "words.h"

#define MAGIC 0x0A0D0D0A /* the first four bytes of a capture, in either byte order */
#define BUFFER (2 * VNIC_CAPTURE_READ_MIN)
#define STOP_MS 5000 /* for a slow disk */
#define LET_GO_MS 1000 /* of the pollers */
#define SNAPLEN_MIN 14
#define SNAPLEN_MAX 65535

static struct say_kind lines;

struct vnicd_capture {
	char path[CAPTURE_PATH];
	int fd;
	bool made; /* the file was not there */
	bool ending;
	struct vnic_capture *capture; /* NULL: none is on */
	struct vnic_capture_stats last;
	void *buffer;
	pthread_t thread;
	pthread_mutex_t reads; /* held while the thread reads the capture, not while it writes */
	bool left;             /* by it: all here is the thread's, but for the capture */

	/* its thread's */
	_Atomic uint64_t bytes; /* relaxed, like the next: numbers to be told */
	_Atomic int error;      /* of a write; then it only empties the capture */
	_Atomic bool finished;  /* release: the file is closed */
};

/* What is told of it. */
struct seen {
	const char *now;
	char path[CAPTURE_PATH];
	struct vnic_capture_stats stats;
	uint64_t bytes;
	int error;
};

/* For telemetry's threads; the main thread, which changes what a capture is, looks itself. */
static struct seen shown = {.now = "off"};
static pthread_mutex_t shown_lock = PTHREAD_MUTEX_INITIALIZER;

static int error_of(const struct vnicd_capture *c)
{
	return atomic_load_explicit(&c->error, memory_order_relaxed);
}

/* ---- its thread ---- */

static void fail(struct vnicd_capture *c, int error)
{
	if (error_of(c) == 0)
		atomic_store_explicit(&c->error, error, memory_order_relaxed);
}

static void write_all(struct vnicd_capture *c, const char *at, size_t n)
{
	while (n != 0 && error_of(c) == 0) {
		ssize_t k = write(c->fd, at, n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0) {
			fail(c, k < 0 ? errno : ENOSPC);
			return;
		}
		atomic_fetch_add_explicit(&c->bytes, (uint64_t)k, memory_order_relaxed);
		at += k;
		n -= (size_t)k;
	}
}

/* The next of the file's bytes; 0: there are none now, and with *last none to come. */
static size_t read_next(struct vnicd_capture *c, bool *last)
{
	size_t n = 0;

	pthread_mutex_lock(&c->reads);
	*last = c->left || vnic_capture_ended(c->capture);
	if (!c->left)
		n = vnic_capture_read(c->capture, c->buffer, BUFFER);
	pthread_mutex_unlock(&c->reads);
	return n;
}

static void drop(struct vnicd_capture *c)
{
	pthread_mutex_destroy(&c->reads);
	free(c->buffer);
	free(c);
}

/* The thread has ended. False: nobody waits for it any more. */
static bool hand_back(struct vnicd_capture *c)
{
	bool left;

	pthread_mutex_lock(&c->reads);
	left = c->left;
	if (!left)
		atomic_store_explicit(&c->finished, true, memory_order_release);
	pthread_mutex_unlock(&c->reads);
	return !left;
}

static void *write_out(void *arg)
{
	const struct timespec nap = {.tv_nsec = 1000000};
	struct vnicd_capture *c = arg;
	bool last = false;
	size_t n;

	do {
		n = read_next(c, &last);
		write_all(c, c->buffer, n);
		if (n == 0 && !last)
			nanosleep(&nap, NULL);
	} while (n != 0 || !last);
	if (close(c->fd) != 0)
		fail(c, errno);
	if (!hand_back(c))
		drop(c);
	return NULL;
}

/* ---- begin ---- */

/* Nothing of the user's is written over but an older capture. */
static int open_file(struct vnicd_capture *c, const char *path, char *why, size_t len)
{
	const int flags = O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW;
	const char *cause = NULL;
	uint32_t magic = MAGIC;
	struct stat st;

	c->fd = open(path, flags | O_CREAT | O_EXCL, 0600);
	c->made = c->fd >= 0;
	if (c->fd < 0 && errno == EEXIST)
		c->fd = open(path, flags);
	if (c->fd < 0) {
		snprintf(why, len, "capture: %s: %s; name a file that vnicd may write", path,
			 strerror(errno));
		return -EIO;
	}
	if (fstat(c->fd, &st) != 0 || !S_ISREG(st.st_mode))
		cause = "no regular file";
	else if (pread(c->fd, &magic, sizeof(magic), 0) > 0 && magic != MAGIC)
		cause = "there already, and no capture";
	else if (ftruncate(c->fd, 0) != 0)
		cause = strerror(errno);
	if (cause == NULL)
		return 0;
	snprintf(why, len, "capture: %s: %s; name another file, or remove it", path, cause);
	close(c->fd);
	return -EIO;
}

/* The faces' pollers let go of it; all lcores poll. One that does not, keeps its memory. */
static void let_go(struct vnicd *d, struct vnicd_capture *c)
{
	const struct timespec nap = {.tv_nsec = 50000};
	uint64_t end = now_ms() + LET_GO_MS;

	vnic_capture_end(c->capture);
	while (!vnic_capture_ended(c->capture) && now_ms() < end)
		if (vnicd_lcores_poll_main(d) == 0)
			nanosleep(&nap, NULL);
}

static int add_faces(struct vnicd *d, struct vnicd_capture *c, int64_t adapter, char *why, size_t len)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->conf.nb_faces; i++) {
		const struct conf_face *f = &d->conf.face[i];
		int rc;

		if (d->face[i].face == NULL || (adapter >= 0 && f->adapter_index != adapter))
			continue;
		rc = vnic_capture_add(c->capture, d->face[i].face, f->name);
		if (rc != 0) {
			snprintf(why, len, "capture: face %s: %s; give EAL more memory (-m MIB), or a "
				 "smaller snaplen", f->name, strerror(-rc));
			return -ENOMEM;
		}
		n++;
	}
	if (n != 0)
		return 0;
	snprintf(why, len, "capture: no face sends by it; name an adapter that has faces, or none for "
		 "all");
	return -EINVAL;
}

/* A capture of the faces, and its thread; on failure none, and the file stays open. */
static int begin(struct vnicd *d, struct vnicd_capture *c, int64_t adapter, uint32_t snaplen,
		 char *why, size_t len)
{
	struct vnic_capture_conf conf = {.snaplen = snaplen, .application = "vnicd " VNIC_VERSION};
	int rc;

	c->capture = vnic_capture_create(&conf);
	if (c->capture == NULL) {
		snprintf(why, len, "capture: %s; give EAL more memory (-m MIB)",
			 rte_strerror(rte_errno));
		return -ENOMEM;
	}
	atomic_init(&c->bytes, 0);
	atomic_init(&c->error, 0);
	atomic_init(&c->finished, false);
	c->ending = false;
	rc = add_faces(d, c, adapter, why, len);
	if (rc == 0) {
		rc = rte_ctrl_thread_create(&c->thread, "vnic-capture", NULL, write_out, c);
		if (rc != 0) {
			snprintf(why, len, "capture: its thread: %s; end some programs",
				 strerror(abs(rc)));
			rc = -ENOMEM;
		}
	}
	if (rc == 0)
		return 0;
	let_go(d, c);
	vnic_capture_destroy(c->capture);
	c->capture = NULL;
	return rc;
}

static int find_adapter(const struct vnicd *d, const char *name, int64_t *index, char *why, size_t len)
{
	*index = -1;
	if (name == NULL)
		return 0;
	for (uint32_t i = 0; i < d->conf.nb_adapters; i++)
		if (strcmp(d->conf.adapter[i].name, name) == 0)
			*index = i;
	if (*index >= 0)
		return 0;
	snprintf(why, len, "capture: %.24s: no such adapter; list names them", name);
	return -EINVAL;
}

/* It is shown in an answer, as it is. */
static bool shows(const char *path)
{
	for (; *path != '\0'; path++)
		if (*path < ' ' || *path > '~' || *path == '"' || *path == '\\')
			return false;
	return true;
}

/* A file directly in the folder `captures`: vnicd's rights are not every operator's. */
static bool may_write(const struct vnicd *d, const char *path)
{
	const char *folder = d->conf.global.captures;
	size_t n = strlen(folder);

	if (d->asker.owner)
		return true;
	while (n > 1 && folder[n - 1] == '/')
		n--;
	return n != 0 && strncmp(path, folder, n) == 0 && path[n] == '/' && path[n + 1] != '\0' &&
	       strchr(path + n + 1, '/') == NULL;
}

int capture_start(struct vnicd *d, const char *path, const char *adapter, uint32_t snaplen, char *why,
		  size_t len)
{
	struct vnicd_capture *c = d->capture;
	int64_t index;
	int rc;

	if (c != NULL && c->capture != NULL) {
		snprintf(why, len, "capture: one is on, into %s; capture stop ends it", c->path);
		return -EBUSY;
	}
	if (strlen(path) >= CAPTURE_PATH || !shows(path)) {
		snprintf(why, len, "capture: FILE has up to %d characters, plain ones",
			 CAPTURE_PATH - 1);
		return -EINVAL;
	}
	if (!may_write(d, path)) {
		snprintf(why, len, "capture: %s: as an operator name a file in the folder that [vnicd] captures = "
			 "... names%s%s", path, d->conf.global.captures[0] != '\0' ? ", " : "; it names none",
			 d->conf.global.captures);
		return -EINVAL;
	}
	if (find_adapter(d, adapter, &index, why, len) != 0)
		return -EINVAL;
	if (c == NULL) {
		c = d->capture = calloc(1, sizeof(*c));
		if (c != NULL) {
			pthread_mutex_init(&c->reads, NULL);
			c->buffer = malloc(BUFFER);
		}
	}
	if (c == NULL || c->buffer == NULL) {
		snprintf(why, len, "capture: no memory; end some programs");
		return -ENOMEM;
	}
	rc = open_file(c, path, why, len);
	if (rc != 0)
		return rc;
	/* it is the operator's, to be read */
	if (c->made && !d->asker.owner && fchown(c->fd, d->asker.user, (gid_t)-1) != 0)
		say_often(&lines, SAY_WARNING, "capture %s: user %u cannot be given it: %s; as root: chown %u %s",
			  path, d->asker.user, strerror(errno), d->asker.user, path);
	rc = begin(d, c, index, snaplen, why, len);
	if (rc == 0) {
		snprintf(c->path, sizeof(c->path), "%s", path);
		return 0;
	}
	close(c->fd);
	if (c->made)
		unlink(path);
	return rc;
}

/* ---- end ---- */

/* Its thread has ended: keep the counts, give the buffers back. */
static void collect(struct vnicd_capture *c)
{
	pthread_join(c->thread, NULL);
	vnic_capture_stats_get(c->capture, &c->last);
	vnic_capture_destroy(c->capture);
	c->capture = NULL;
}

static bool finished(const struct vnicd_capture *c)
{
	return atomic_load_explicit(&c->finished, memory_order_acquire);
}

/* The faces' pollers let go of it, and it is written to its end. False: not yet. */
static bool finish(struct vnicd *d, struct vnicd_capture *c)
{
	const struct timespec nap = {.tv_nsec = 200000};
	uint64_t end = now_ms() + STOP_MS;

	vnic_capture_end(c->capture);
	while (!finished(c) && now_ms() < end && !vnicd_hurried())
		if (vnicd_lcores_poll_main(d) == 0)
			nanosleep(&nap, NULL);
	if (!finished(c))
		return false;
	collect(c);
	return true;
}

/* To its thread, which hangs in a write: it touches none of EAL's memory any more. False: it has just
 * ended. */
static bool leave(struct vnicd_capture *c)
{
	struct vnic_capture *capture = c->capture;
	pthread_t thread = c->thread;
	bool left;

	pthread_mutex_lock(&c->reads);
	left = c->left = !finished(c);
	pthread_mutex_unlock(&c->reads);
	if (!left) {
		collect(c);
		return false;
	}
	pthread_detach(thread);
	vnic_capture_destroy(capture);
	return true;
}

static void say_failed(const struct vnicd_capture *c)
{
	if (error_of(c) != 0)
		say_often(&lines, SAY_ERROR, "capture %s: %s: it has ended, traffic goes on; make room, then capture "
			  "start again", c->path, strerror(error_of(c)));
}

int capture_stop(struct vnicd *d, char *why, size_t len)
{
	struct vnicd_capture *c = d->capture;

	if (c == NULL || c->capture == NULL) {
		snprintf(why, len, "capture: none is on; capture start FILE begins one");
		return -ENOENT;
	}
	c->ending = true;
	if (!finish(d, c)) {
		snprintf(why, len, "capture: %s is still being written; capture status tells when it "
			 "ends", c->path);
		return -EBUSY;
	}
	if (error_of(c) == 0)
		return 0;
	snprintf(why, len, "capture: %s: %s: its end is missing", c->path, strerror(error_of(c)));
	return -EIO;
}

/* What it is now, or was last. */
static void look(const struct vnicd_capture *c, struct seen *s)
{
	*s = (struct seen){.now = "off"};
	if (c == NULL || c->path[0] == '\0')
		return;
	memcpy(s->path, c->path, sizeof(s->path));
	s->error = error_of(c);
	s->bytes = atomic_load_explicit(&c->bytes, memory_order_relaxed);
	s->stats = c->last;
	if (c->capture != NULL) {
		vnic_capture_stats_get(c->capture, &s->stats);
		s->now = c->ending ? "ending" : "on";
	} else if (s->error != 0) {
		s->now = "failed";
	}
}

/* Who asks by telemetry may hold it; then the next time. */
static void show_others(const struct vnicd_capture *c)
{
	struct seen s;

	look(c, &s);
	if (pthread_mutex_trylock(&shown_lock) != 0)
		return;
	shown = s;
	pthread_mutex_unlock(&shown_lock);
}

void vnicd_capture_poll(struct vnicd *d)
{
	struct vnicd_capture *c = d->capture;

	show_others(c);
	if (c == NULL || c->capture == NULL)
		return;
	if (error_of(c) != 0 && !c->ending) {
		c->ending = true;
		say_failed(c);
		vnic_capture_end(c->capture);
	}
	if (finished(c))
		collect(c);
}

void vnicd_capture_close(struct vnicd *d)
{
	struct vnicd_capture *c = d->capture;
	bool on = c != NULL && c->capture != NULL;
	char path[CAPTURE_PATH];

	d->capture = NULL;
	if (c == NULL)
		return;
	memcpy(path, c->path, sizeof(path));
	if (on && !finish(d, c) && leave(c)) {
		say(SAY_ERROR, "capture %s: its last packets are not in it: the disk hangs, or is too slow; see to "
		    "it, or name a file on another", path);
		return;
	}
	if (on && !c->ending)
		say_failed(c);
	drop(c);
}

/* ---- control lines ---- */

void capture_status(struct vnicd *d, struct answer *a)
{
	struct seen s;

	if (rte_lcore_id() == rte_get_main_lcore()) {
		look(d->capture, &s);
	} else {
		pthread_mutex_lock(&shown_lock);
		s = shown;
		pthread_mutex_unlock(&shown_lock);
	}
	answer_begin(a, ANSWER_DICT, NULL);
	answer_text(a, "capture", s.now);
	if (s.path[0] != '\0')
		answer_text(a, "file", s.path);
	answer_u64(a, "captured", s.stats.captured);
	answer_u64(a, "lost", s.stats.lost);
	answer_u64(a, "written", s.stats.written);
	answer_u64(a, "bytes", s.bytes);
	answer_u64(a, "spare", s.stats.spare);
	answer_u64(a, "buffers", s.stats.nb_packets);
	if (s.error != 0)
		answer_text(a, "reason", strerror(s.error));
}

static int read_start(struct vnicd *d, struct words *w, char *why, size_t len)
{
	const char *path = w->now, *adapter = NULL;
	uint64_t snaplen = 0;

	words_next(w);
	if (path != NULL && w->now != NULL && strcmp(w->now, "snaplen") != 0) {
		adapter = w->now;
		words_next(w);
	}
	if (words_take(w, "snaplen")) {
		if (w->now == NULL || conf_number(w->now, 0, &snaplen) != 0 || snaplen < SNAPLEN_MIN ||
		    snaplen > SNAPLEN_MAX) {
			snprintf(why, len, "capture: snaplen is a number from %d to %d", SNAPLEN_MIN,
				 SNAPLEN_MAX);
			return -EINVAL;
		}
		words_next(w);
	}
	if (path == NULL || w->now != NULL) {
		snprintf(why, len, "capture: capture start FILE [ADAPTER] [snaplen N]");
		return -EINVAL;
	}
	return capture_start(d, path, adapter, (uint32_t)snaplen, why, len);
}

int capture_ask(struct vnicd *d, struct words *w, struct answer *a, char *why, size_t len)
{
	int rc = -EINVAL;

	snprintf(why, len, "capture: the words are %s", CAPTURE_WORDS);
	if (words_take(w, "start"))
		rc = read_start(d, w, why, len);
	else if (words_take(w, "stop"))
		rc = w->now == NULL ? capture_stop(d, why, len) : -EINVAL;
	if (rc == 0)
		capture_status(d, a);
	return rc;
}
