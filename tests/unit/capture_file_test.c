/* SPDX-License-Identifier: BSD-3-Clause
 * capture_file_test.c - vnicd's captures: a disk that hangs, and a face that does not let go, hold up
 * nobody, and nothing of EAL's is touched afterwards
 *
 * Writes to a regular file wait while the test says so; time goes faster then.
 */
#include "scene.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <rte_malloc.h>

#include "capture.h"
#include "say.h"
#include "vnicd.h"

#define STEP_MS 50
#define PATIENCE 20000 /* ms */

static char path[] = "/tmp/vnic_capture_XXXXXX";
static struct vnicd *d;
static struct vnic_face *face;
static bool face_lets_go;
static uint64_t ahead_ms, step_ms;
static uint32_t lines;
static char line[SAY_MAX];

/* ---- what vnicd has beside it ---- */

uint32_t vnicd_lcores_poll_main(struct vnicd *daemon)
{
	(void)daemon;
	ahead_ms += step_ms;
	return face_lets_go ? vnic_face_poll(face) : 0;
}

bool vnicd_hurried(void)
{
	return false;
}

void say(enum say_level level, const char *format, ...)
{
	va_list ap;

	(void)level;
	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	lines++;
}

void say_often(struct say_kind *kind, enum say_level level, const char *format, ...)
{
	va_list ap;

	(void)kind;
	(void)level;
	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	lines++;
}

/* ---- the clock and the disk ---- */

int __real_clock_gettime(clockid_t id, struct timespec *t);
int __wrap_clock_gettime(clockid_t id, struct timespec *t);
int __wrap_clock_gettime(clockid_t id, struct timespec *t)
{
	int rc = __real_clock_gettime(id, t);

	if (id == CLOCK_MONOTONIC)
		t->tv_sec += (time_t)(ahead_ms / 1000);
	return rc;
}

static _Atomic bool hangs, hanging;
static _Atomic int disk = -1; /* the file's descriptor */

static void nap(void)
{
	const struct timespec ms = {.tv_nsec = 1000000};

	nanosleep(&ms, NULL);
}

ssize_t __real_write(int fd, const void *at, size_t n);
ssize_t __wrap_write(int fd, const void *at, size_t n);
ssize_t __wrap_write(int fd, const void *at, size_t n)
{
	struct stat st;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return __real_write(fd, at, n);
	atomic_store(&disk, fd);
	while (atomic_load(&hangs)) {
		atomic_store(&hanging, true);
		nap();
	}
	return __real_write(fd, at, n);
}

/* The capture's thread reads it, or asks for its end. */
static _Atomic uint32_t reads;

size_t __real_vnic_capture_read(struct vnic_capture *c, void *buffer, size_t size);
size_t __wrap_vnic_capture_read(struct vnic_capture *c, void *buffer, size_t size);
size_t __wrap_vnic_capture_read(struct vnic_capture *c, void *buffer, size_t size)
{
	atomic_fetch_add(&reads, 1);
	return __real_vnic_capture_read(c, buffer, size);
}

/* ---- a vnicd with a face ---- */

static size_t in_use(void)
{
	struct rte_malloc_socket_stats st;

	assert_int_equal(rte_malloc_get_socket_stats(0, &st), 0);
	return st.heap_allocsz_bytes;
}

static struct scene begin(void)
{
	struct scene s = scene_open();
	struct vnic_face_conf conf = {.name = "f", .port = s.upper_port, .depth = 256, .nbl_packets = 1};

	face = vnic_face_create(s.adapter, &conf);
	assert_non_null(face);
	d = calloc(1, sizeof(*d));
	d->conf.nb_adapters = d->conf.nb_faces = 1;
	strcpy(d->conf.face[0].name, "f");
	d->face[0].face = face;
	d->asker.owner = true;
	face_lets_go = true;
	lines = 0;
	step_ms = 0;
	atomic_store(&hangs, false);
	atomic_store(&hanging, false);
	unlink(path);
	return s;
}

static void end(struct scene *s)
{
	for (int i = 0; i < 1000 && vnic_face_outstanding(face) != 0; i++) {
		vnic_adapter_poll(s->adapter);
		vnic_face_poll(face);
	}
	assert_int_equal(vnic_face_destroy(face), 0);
	scene_close(s);
	free(d);
	unlink(path);
}

static void start(void)
{
	char why[VNICD_LINE];

	assert_int_equal(capture_start(d, path, NULL, 0, why, sizeof(why)), 0);
}

static void wait_for(_Atomic bool *what)
{
	for (int i = 0; i < PATIENCE && !atomic_load(what); i++)
		nap();
	assert_true(atomic_load(what));
}

/* The thread closes the file as the last it does. */
static void wait_closed(void)
{
	for (int i = 0; i < PATIENCE && fcntl(atomic_load(&disk), F_GETFD) >= 0; i++)
		nap();
	assert_int_equal(fcntl(atomic_load(&disk), F_GETFD), -1);
}

static void whole(void **state)
{
	struct scene s = begin();
	size_t before = in_use();
	struct stat st;

	(void)state;
	start();
	scene_feed(&s, face, (const uint16_t[]){7, 8, 9, 0});
	vnicd_capture_close(d);
	assert_int_equal(lines, 0);
	assert_null(d->capture);
	assert_int_equal(in_use(), before);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size > 3 * SCENE_FRAME);
	end(&s);
}

static void disk_hangs_at_the_end(void **state)
{
	struct scene s = begin();
	size_t before = in_use();
	uint32_t was;

	(void)state;
	atomic_store(&hangs, true);
	start();
	scene_feed(&s, face, (const uint16_t[]){7, 8, 9, 0});
	wait_for(&hanging);
	ahead_ms = 0;
	step_ms = STEP_MS;
	vnicd_capture_close(d);
	assert_in_range(ahead_ms, STEP_MS, 20000);
	assert_int_equal(lines, 1);
	assert_non_null(strstr(line, path));
	assert_non_null(strstr(line, "the disk hangs"));
	assert_null(d->capture);
	/* its memory may go now; the thread comes back, and is not interested */
	assert_int_equal(in_use(), before);
	was = atomic_load(&reads);
	atomic_store(&hangs, false);
	wait_closed();
	assert_int_equal(atomic_load(&reads), was);
	end(&s);
}

static void disk_hangs_for_a_while(void **state)
{
	char why[VNICD_LINE];
	struct scene s = begin();

	(void)state;
	atomic_store(&hangs, true);
	start();
	wait_for(&hanging);
	step_ms = STEP_MS;
	assert_int_equal(capture_stop(d, why, sizeof(why)), -EBUSY);
	assert_non_null(strstr(why, "still being written"));
	assert_int_equal(capture_start(d, path, NULL, 0, why, sizeof(why)), -EBUSY);
	step_ms = 0;
	atomic_store(&hangs, false);
	wait_closed();
	assert_int_equal(capture_stop(d, why, sizeof(why)), 0);
	start(); /* another may begin */
	vnicd_capture_close(d);
	assert_int_equal(lines, 0);
	end(&s);
}

/* Nobody polls it. */
static void face_does_not_let_go(void **state)
{
	char why[VNICD_LINE];
	struct scene s = begin();

	(void)state;
	start();
	face_lets_go = false;
	step_ms = STEP_MS;
	assert_int_equal(capture_stop(d, why, sizeof(why)), -EBUSY);
	face_lets_go = true;
	step_ms = 0;
	assert_int_equal(capture_stop(d, why, sizeof(why)), 0);
	/* one that cannot begin, of another face twice: the first has it already */
	d->conf.nb_faces = 2;
	strcpy(d->conf.face[1].name, "g");
	d->face[1].face = face;
	face_lets_go = false;
	step_ms = STEP_MS;
	assert_int_equal(capture_start(d, path, NULL, 0, why, sizeof(why)), -ENOMEM);
	assert_non_null(strstr(why, "face g"));
	face_lets_go = true;
	d->conf.nb_faces = 1;
	vnic_face_poll(face);
	start();
	/* and at the end */
	face_lets_go = false;
	vnicd_capture_close(d);
	assert_int_equal(lines, 1);
	assert_null(d->capture);
	end(&s);
}

static int set_up(void **state)
{
	int fd = mkstemp(path);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? -1 : test_eal_setup(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole),
		cmocka_unit_test(disk_hangs_at_the_end),
		cmocka_unit_test(disk_hangs_for_a_while),
		cmocka_unit_test(face_does_not_let_go),
	};

	return cmocka_run_group_tests_name("capture_file", tests, set_up, test_eal_teardown);
}
