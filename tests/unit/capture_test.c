/* SPDX-License-Identifier: BSD-3-Clause
 * capture_test.c - what a capture writes, parsed here byte by byte; its buffers; its beginning and end
 */
#include "scene.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_errno.h>
#include <rte_malloc.h>

#include "capture.h"

#define NAME "first"
#define ROOM (4u << 20)
#define PACKETS_MAX 4096

struct seen {
	uint32_t interface;
	uint64_t time_ns;
	uint32_t bytes, wire_bytes, flags;
	const uint8_t *data;
	char comment[128];
};

/* What a file has. */
struct file {
	uint32_t sections, interfaces, statistics, snaplen;
	char name[4][32];
	char application[32];
	uint64_t received, dropped; /* of the last statistics */
	uint32_t nb;
	struct seen packet[PACKETS_MAX];
};

static uint32_t u32(const uint8_t *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

static uint16_t u16(const uint8_t *at)
{
	uint16_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

/* The option's value and its length; NULL: there is none. All of them are whole, and end. */
static const uint8_t *option(const uint8_t *at, const uint8_t *end, uint16_t code, uint16_t *len)
{
	const uint8_t *found = NULL;

	for (;; at += 4 + (u16(at + 2) + 3u) / 4 * 4) {
		assert_true(at + 4 <= end);
		if (u16(at) == 0)
			break;
		assert_true(at + 4 + u16(at + 2) <= end);
		if (u16(at) == code) {
			found = at + 4;
			*len = u16(at + 2);
		}
	}
	assert_int_equal(u16(at + 2), 0);
	assert_ptr_equal(at + 4, end);
	return found;
}

static void text(char *to, size_t room, const uint8_t *at, uint16_t len)
{
	assert_non_null(at);
	assert_true(len < room);
	memcpy(to, at, len);
	to[len] = '\0';
}

static void parse_packet(struct file *f, const uint8_t *at, const uint8_t *end)
{
	struct seen *p = &f->packet[f->nb++];
	const uint8_t *v;
	uint16_t len = 0;

	assert_true(f->nb <= PACKETS_MAX);
	p->interface = u32(at);
	assert_true(p->interface < f->interfaces); /* it was described before */
	p->time_ns = (uint64_t)u32(at + 4) << 32 | u32(at + 8);
	p->bytes = u32(at + 12);
	p->wire_bytes = u32(at + 16);
	p->data = at + 20;
	at += 20 + (p->bytes + 3) / 4 * 4;
	v = option(at, end, 2, &len);
	assert_non_null(v);
	assert_int_equal(len, 4);
	p->flags = u32(v);
	v = option(at, end, 1, &len);
	text(p->comment, sizeof(p->comment), v, len);
}

static void parse_interface(struct file *f, const uint8_t *at, const uint8_t *end)
{
	const uint8_t *v;
	uint16_t len = 0;

	assert_true(f->interfaces < 4);
	assert_int_equal(u16(at), 1); /* Ethernet */
	f->snaplen = u32(at + 4);
	v = option(at + 8, end, 9, &len);
	assert_non_null(v);
	assert_int_equal(len, 1);
	assert_int_equal(*v, 9); /* ns */
	v = option(at + 8, end, 2, &len);
	text(f->name[f->interfaces++], 32, v, len);
}

static void parse(struct file *f, const uint8_t *at, size_t size)
{
	const uint8_t *v, *stop = at + size;
	uint16_t len = 0;

	memset(f, 0, sizeof(*f));
	while (at < stop) {
		uint32_t n = u32(at + 4);
		const uint8_t *body = at + 8, *end = at + n - 4;

		assert_true(n >= 12 && n % 4 == 0 && at + n <= stop);
		assert_int_equal(u32(end), n);
		switch (u32(at)) {
		case 0x0A0D0D0A:
			assert_int_equal(f->sections++, 0);
			assert_int_equal(u32(body), 0x1A2B3C4D);
			assert_int_equal(u16(body + 4), 1);
			assert_int_equal(u16(body + 6), 0);
			v = option(body + 16, end, 4, &len);
			text(f->application, sizeof(f->application), v, len);
			break;
		case 1: parse_interface(f, body, end); break;
		case 6: parse_packet(f, body, end); break;
		case 5:
			f->statistics++;
			v = option(body + 12, end, 4, &len);
			assert_non_null(v);
			memcpy(&f->received, v, sizeof(f->received));
			v = option(body + 12, end, 5, &len);
			assert_non_null(v);
			memcpy(&f->dropped, v, sizeof(f->dropped));
			break;
		default: fail_msg("block type %" PRIx32, u32(at));
		}
		at += n;
	}
	assert_true(size == 0 || f->sections == 1);
}

/* ---- a capture of a face ---- */

static uint8_t bytes[ROOM];
static size_t nb_bytes;
static struct file file;

static struct vnic_face *face_of(const struct scene *s, uint16_t nbl_packets)
{
	static const struct vnic_idrule port = {.kind = VNIC_IDRULE_PORT};
	char name[16];
	struct vnic_face_conf conf = {.name = bed_unique("cap", name), .port = s->upper_port, .depth = 256,
				      .nbl_packets = nbl_packets, .rules = &port, .nb_rules = 1};
	struct vnic_face *f = vnic_face_create(s->adapter, &conf);

	assert_non_null(f);
	return f;
}

static struct vnic_capture *begin(struct vnic_face *f, uint32_t snaplen, uint32_t nb_packets)
{
	struct vnic_capture_conf conf = {.snaplen = snaplen, .nb_packets = nb_packets};
	struct vnic_capture *c = vnic_capture_create(&conf);

	assert_non_null(c);
	assert_int_equal(vnic_capture_add(c, f, NAME), 0);
	nb_bytes = 0;
	return c;
}

/* All that has come, in pieces of `size`. */
static void read_all(struct vnic_capture *c, size_t size)
{
	size_t n;

	while ((n = vnic_capture_read(c, bytes + nb_bytes, size)) != 0) {
		nb_bytes += n;
		assert_true(nb_bytes + size <= ROOM);
	}
}

/* The end as its owner makes it; then the file. */
static void end(struct vnic_capture *c, struct vnic_face *f)
{
	struct vnic_capture_stats st;

	vnic_capture_end(c);
	assert_int_equal(vnic_capture_destroy(c), -EBUSY);
	assert_false(vnic_capture_ended(c));
	vnic_face_poll(f);
	assert_true(vnic_capture_ended(c));
	read_all(c, VNIC_CAPTURE_READ_MIN);
	vnic_capture_stats_get(c, &st);
	assert_int_equal(st.captured, st.written);
	assert_int_equal(st.spare, st.nb_packets);
	assert_int_equal(vnic_capture_destroy(c), 0);
	parse(&file, bytes, nb_bytes);
	assert_int_equal(file.nb, st.written);
	assert_int_equal(file.interfaces, 1);
	assert_int_equal(file.statistics, 1);
	assert_int_equal(file.received, st.captured + st.lost);
	assert_int_equal(file.dropped, st.lost);
	assert_string_equal(file.name[0], NAME);
}

static void let_leave(const struct scene *s, struct vnic_face *f)
{
	for (int i = 0; i < 1000 && vnic_face_outstanding(f) != 0; i++) {
		vnic_adapter_poll(s->adapter);
		vnic_face_poll(f);
	}
	assert_int_equal(vnic_face_outstanding(f), 0);
}

static uint16_t port_in(const struct seen *p)
{
	return (uint16_t)(p->data[36] << 8 | p->data[37]);
}

/* How many packets have a comment that begins so. */
static uint32_t count(const char *start)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < file.nb; i++)
		n += strncmp(file.packet[i].comment, start, strlen(start)) == 0;
	return n;
}

static uint64_t id_of(const struct vnic_face *f, uint16_t port)
{
	return (uint64_t)vnic_client_prefix(vnic_face_client(f)) << VNIC_CANCEL_ID_PREFIX_SHIFT | port;
}

/* Each packet with what became of it, the id, the time, the bytes. */
static void sent_and_aborted(void **state)
{
	struct scene s = scene_open();
	struct vnic_face *f = face_of(&s, 1);
	struct vnic_capture *c = begin(f, 0, 0);
	char comment[64];
	struct timespec now;
	int64_t age_ns;

	(void)state;
	scene_feed(&s, f, (const uint16_t[]){7, 8, 7, 9, 8, 7, 0});
	scene_cancel(&s, f, id_of(f, 7), 3, 3);
	let_leave(&s, f);
	end(c, f);
	assert_int_equal(file.nb, 6);
	assert_string_equal(file.application, "libvnic");
	clock_gettime(CLOCK_REALTIME, &now);
	for (uint32_t i = 0; i < file.nb; i++) {
		const struct seen *p = &file.packet[i];
		uint16_t port = port_in(p);

		assert_int_equal(port == 7, i < 3); /* in the order of their completions */
		snprintf(comment, sizeof(comment), "%s id=0x%" PRIx64 " after ",
			 port == 7 ? "aborted SEND_ABORTED" : "sent", id_of(f, port));
		assert_memory_equal(p->comment, comment, strlen(comment));
		assert_int_equal(p->bytes, SCENE_FRAME);
		assert_int_equal(p->wire_bytes, SCENE_FRAME);
		assert_int_equal(p->flags, 2); /* outbound */
		assert_int_equal(p->data[12] << 8 | p->data[13], 0x0800);
		age_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - (int64_t)p->time_ns;
		assert_true(age_ns > -1000000000 && age_ns < INT64_C(60000000000));
	}
	assert_int_equal(vnic_face_destroy(f), 0);
	scene_close(&s);
}

/* Another status has its name; NBLs of several packets come back whole; what nobody has completed
 * when the capture ends is said to be queued. */
static void rejected_and_queued(void **state)
{
	struct scene s = scene_open();
	struct vnic_face *f = face_of(&s, 4);
	struct vnic_request *r = vnic_request_create(s.control);
	struct vnic_capture *c = begin(f, 0, 0);

	(void)state;
	scene_feed(&s, f, (const uint16_t[]){7, 7, 7, 8, 8, 7, 0});
	scene_cancel(&s, f, id_of(f, 7), 2, 4);
	vnic_adapter_request(s.adapter, VNIC_CONTROL_RESET, 0, r);
	for (int i = 0; i < 1000 && vnic_request_status(r) == VNIC_STATUS_PENDING; i++) {
		vnic_control_poll(s.control);
		vnic_adapter_poll(s.adapter);
	}
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_SUCCESS);
	vnic_request_release(r);
	assert_int_equal(vnic_face_poll(f), 1);
	scene_feed(&s, f, (const uint16_t[]){10, 11, 11, 0});
	end(c, f);
	assert_int_equal(count("aborted SEND_ABORTED id=0x"), 4);
	assert_int_equal(count("rejected RESET_IN_PROGRESS id=0x"), 2);
	assert_int_equal(count("queued id=0x"), 3);
	assert_int_equal(count("sent"), 0);
	let_leave(&s, f);
	assert_int_equal(vnic_face_destroy(f), 0);
	scene_close(&s);
}

/* The capture loses packets, counted; traffic does not. */
static void no_buffer_is_spare(void **state)
{
	struct scene s = scene_open();
	struct vnic_face *f = face_of(&s, 3);
	struct vnic_capture *c = begin(f, 0, 4);
	struct vnic_capture_stats st;
	struct vnic_face_stats face;

	(void)state;
	scene_feed(&s, f, (const uint16_t[]){1, 1, 1, 2, 2, 2, 3, 3, 3, 0});
	vnic_capture_stats_get(c, &st);
	assert_int_equal(st.captured, 4);
	assert_int_equal(st.lost, 5);
	assert_int_equal(st.spare, 0);
	let_leave(&s, f);
	read_all(c, VNIC_CAPTURE_READ_MIN); /* they are spare again */
	scene_feed(&s, f, (const uint16_t[]){4, 5, 0});
	let_leave(&s, f);
	vnic_face_stats_get(f, &face);
	assert_int_equal(face.sent, 11);
	end(c, f);
	assert_int_equal(file.nb, 6);
	assert_int_equal(file.dropped, 5);
	assert_int_equal(count("sent id=0x"), 6);
	assert_int_equal(vnic_face_destroy(f), 0);
	scene_close(&s);
}

/* A chain of two buffers, cut in the second. */
static void snaplen(void **state)
{
	struct scene s = scene_open();
	struct vnic_face *f = face_of(&s, 1);
	struct vnic_capture *c = begin(f, SCENE_FRAME + 3, 0);
	struct rte_mbuf *m = scene_frame(&s, 7), *tail = rte_pktmbuf_alloc(s.mbufs);

	(void)state;
	memset(rte_pktmbuf_append(tail, 100), 0xa5, 100);
	assert_int_equal(rte_pktmbuf_chain(m, tail), 0);
	assert_int_equal(rte_ring_enqueue(s.upper, m), 0);
	vnic_face_poll(f);
	let_leave(&s, f);
	end(c, f);
	assert_int_equal(file.snaplen, SCENE_FRAME + 3);
	assert_int_equal(file.nb, 1);
	assert_int_equal(file.packet[0].bytes, SCENE_FRAME + 3);
	assert_int_equal(file.packet[0].wire_bytes, SCENE_FRAME + 100);
	assert_int_equal(port_in(&file.packet[0]), 7);
	assert_memory_equal(file.packet[0].data + SCENE_FRAME, "\xa5\xa5\xa5", 3);
	assert_int_equal(vnic_face_destroy(f), 0);
	scene_close(&s);
}

/* A reader with the least buffer gets whole blocks, and all of them in the end. */
static void small_reads(void **state)
{
	static const uint16_t ports[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0};
	struct scene s = scene_open();
	struct vnic_face *f = face_of(&s, 1);
	struct vnic_capture *c = begin(f, 0, 2048);
	uint32_t n = 0;

	(void)state;
	assert_int_equal(vnic_capture_read(c, bytes, VNIC_CAPTURE_READ_MIN - 1), 0);
	for (; n < 60 * 16; n += 16) { /* more than one buffer of them */
		scene_feed(&s, f, ports);
		let_leave(&s, f);
	}
	read_all(c, VNIC_CAPTURE_READ_MIN);
	assert_true(nb_bytes > VNIC_CAPTURE_READ_MIN);
	end(c, f);
	assert_int_equal(file.nb, n);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(port_in(&file.packet[i]), ports[i % 16]);
	assert_int_equal(vnic_face_destroy(f), 0);
	scene_close(&s);
}

static uint32_t count_of(uint32_t interface)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < file.nb; i++)
		n += file.packet[i].interface == interface;
	return n;
}

/* A face that always has more than a read takes keeps no other waiting. */
static void turns(void **state)
{
	static const uint16_t ports[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0};
	struct scene s = scene_open();
	struct vnic_face *busy = face_of(&s, 1), *other = face_of(&s, 1), *last = face_of(&s, 1);
	struct vnic_capture *c = begin(busy, 0, 4096);
	uint32_t n = 0;

	(void)state;
	assert_int_equal(vnic_capture_add(c, other, "other"), 0);
	assert_int_equal(vnic_capture_add(c, last, "last"), 0);
	for (; n < 200 * 16; n += 16) { /* more than three reads of them */
		scene_feed(&s, busy, ports);
		let_leave(&s, busy);
	}
	scene_feed(&s, other, (const uint16_t[]){1, 2, 0});
	let_leave(&s, other);
	scene_feed(&s, last, (const uint16_t[]){1, 2, 3, 0});
	let_leave(&s, last);
	for (uint32_t i = 0; i < 2; i++)
		nb_bytes += vnic_capture_read(c, bytes + nb_bytes, VNIC_CAPTURE_READ_MIN);
	parse(&file, bytes, nb_bytes);
	assert_int_equal(count_of(1), 2);
	assert_int_equal(count_of(2), 3);
	assert_in_range(count_of(0), n / 8, n - 1); /* it had both reads' room nearly alone */
	vnic_capture_end(c);
	vnic_face_poll(busy);
	vnic_face_poll(other);
	vnic_face_poll(last);
	read_all(c, VNIC_CAPTURE_READ_MIN);
	parse(&file, bytes, nb_bytes);
	assert_int_equal(count_of(0), n);
	assert_int_equal(file.nb, n + 5);
	assert_int_equal(vnic_capture_destroy(c), 0);
	assert_int_equal(vnic_face_destroy(busy), 0);
	assert_int_equal(vnic_face_destroy(other), 0);
	assert_int_equal(vnic_face_destroy(last), 0);
	scene_close(&s);
}

static size_t in_use(void)
{
	struct rte_malloc_socket_stats st;

	assert_int_equal(rte_malloc_get_socket_stats(0, &st), 0);
	return st.heap_allocsz_bytes;
}

/* On and off under traffic: what an old capture has left in NBLs means nothing to the next, nothing
 * stays behind. */
static void on_and_off(void **state)
{
	struct scene s = scene_open();
	struct vnic_face *f = face_of(&s, 2);
	uint32_t total = 0, aborted = 0, queued = 0;
	size_t before = in_use();

	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		struct vnic_capture *c = begin(f, 0, 64);

		scene_feed(&s, f, (const uint16_t[]){7, 7, 8, 9, 9, 9, 0});
		if (i % 2 == 0)
			let_leave(&s, f); /* those of the last capture are among it */
		if (i % 3 == 0)
			scene_feed(&s, f, (const uint16_t[]){7, 0});
		end(c, f);
		total += file.nb;
		aborted += count("aborted");
		queued += count("queued");
		if (i % 2 != 0)
			scene_feed(&s, f, (const uint16_t[]){8, 0}); /* not captured */
		if (i % 5 == 0)
			let_leave(&s, f);
	}
	let_leave(&s, f);
	assert_int_equal(total, 634);
	assert_int_equal(aborted, 0);
	assert_true(queued >= 300);
	assert_int_equal(in_use(), before);
	assert_int_equal(vnic_face_destroy(f), 0);
	scene_close(&s);
}

/* A face that hands down what finds nothing queued queues it while it is captured. */
static void nothing_goes_past_it(void **state)
{
	struct scene s = scene_open();
	struct vnic_face_conf conf = {.name = "cap", .port = s.upper_port, .depth = 256, .nbl_packets = 1,
				      .direct = true};
	struct vnic_face *f = vnic_face_create(s.adapter, &conf);
	struct vnic_face_stats st;
	struct vnic_capture *c;

	(void)state;
	assert_non_null(f);
	vnic_adapter_poll(s.adapter);
	scene_feed(&s, f, (const uint16_t[]){7, 8, 0});
	vnic_face_stats_get(f, &st);
	assert_int_equal(st.direct, 2);
	c = begin(f, 0, 64);
	scene_feed(&s, f, (const uint16_t[]){7, 8, 9, 0});
	let_leave(&s, f);
	end(c, f);
	vnic_face_stats_get(f, &st);
	assert_int_equal(st.direct, 2);
	assert_int_equal(st.sent, 5);
	assert_int_equal(file.nb, 3);
	assert_int_equal(count("sent"), 3);
	scene_feed(&s, f, (const uint16_t[]){7, 0});
	vnic_face_stats_get(f, &st);
	assert_int_equal(st.direct, 3);
	assert_int_equal(vnic_face_destroy(f), 0);
	scene_close(&s);
}

static void refused(void **state)
{
	const struct vnic_capture_conf bad[] = {{.snaplen = 13}, {.snaplen = 65536},
		{.nb_packets = 1048577}, {.application = "a name of more than 31 characters"}};
	struct vnic_capture_conf conf = {.nb_packets = 16};
	struct scene s = scene_open();
	struct vnic_face *f = face_of(&s, 1);
	struct vnic_capture *c = begin(f, 0, 16), *second;

	(void)state;
	for (size_t i = 0; i < BED_COUNT_OF(bad); i++) {
		assert_null(vnic_capture_create(&bad[i]));
		assert_int_equal(rte_errno, EINVAL);
	}
	second = vnic_capture_create(&conf);
	assert_int_equal(vnic_capture_add(second, f, "x"), -EBUSY);
	assert_int_equal(vnic_capture_add(second, f, ""), -EINVAL);
	vnic_capture_end(second);
	assert_int_equal(vnic_capture_add(second, f, "x"), -EINVAL);
	assert_int_equal(vnic_capture_destroy(second), 0);
	assert_int_equal(vnic_capture_destroy(NULL), 0);
	end(c, f);
	/* a face that goes leaves its capture whole */
	c = begin(f, 0, 16);
	scene_feed(&s, f, (const uint16_t[]){7, 0});
	let_leave(&s, f);
	assert_int_equal(vnic_face_destroy(f), 0);
	vnic_capture_end(c);
	assert_true(vnic_capture_ended(c));
	read_all(c, VNIC_CAPTURE_READ_MIN);
	parse(&file, bytes, nb_bytes);
	assert_int_equal(count("sent id=0x"), 1);
	assert_int_equal(vnic_capture_destroy(c), 0);
	scene_close(&s);
}

/* ---- a face that goes, and a cancel that comes then ---- */

static struct vnic_face *going;
static struct vnic_ticket *late;
static int late_rc;

void __real_vnic__hook_cut(struct vnic__hook *hook);
void __wrap_vnic__hook_cut(struct vnic__hook *hook);

/* Its destroy has decided by now. */
void __wrap_vnic__hook_cut(struct vnic__hook *hook)
{
	if (going != NULL)
		late_rc = vnic_client_abort(vnic_face_client(going), late);
	__real_vnic__hook_cut(hook);
}

static void stays_captured_or_goes(void **state)
{
	struct scene s = scene_open();
	struct vnic_face *f = face_of(&s, 1);
	struct vnic_capture *c = begin(f, 0, 16);
	struct vnic_capture_stats st;

	(void)state;
	assert_int_equal(vnic_client_abort(vnic_face_client(f), s.ticket), 0);
	assert_int_equal(vnic_face_destroy(f), -EBUSY);
	vnic_control_poll(s.control);
	scene_feed(&s, f, (const uint16_t[]){7, 0});
	vnic_capture_stats_get(c, &st);
	assert_int_equal(st.captured, 1);
	let_leave(&s, f);
	late = vnic_ticket_create(-1);
	going = f;
	assert_int_equal(vnic_face_destroy(f), 0);
	going = NULL;
	assert_int_equal(late_rc, -EBADF);
	vnic_control_poll(s.control);
	assert_int_equal(vnic_ticket_destroy(late), 0);
	vnic_capture_end(c);
	assert_true(vnic_capture_ended(c));
	read_all(c, VNIC_CAPTURE_READ_MIN);
	assert_int_equal(vnic_capture_destroy(c), 0);
	scene_close(&s); /* no client is left */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sent_and_aborted),
		cmocka_unit_test(rejected_and_queued),
		cmocka_unit_test(no_buffer_is_spare),
		cmocka_unit_test(snaplen),
		cmocka_unit_test(small_reads),
		cmocka_unit_test(turns),
		cmocka_unit_test(on_and_off),
		cmocka_unit_test(nothing_goes_past_it),
		cmocka_unit_test(refused),
		cmocka_unit_test(stays_captured_or_goes),
	};

	return cmocka_run_group_tests_name("capture", tests, test_eal_setup, test_eal_teardown);
}
