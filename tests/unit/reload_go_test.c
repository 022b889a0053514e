/* SPDX-License-Identifier: BSD-3-Clause
 * reload_go_test.c - a reload that has to give up what it removes: a port that has taken a packet in part
 * only, an adapter whose stop stays pending. It is refused, and all goes on as before
 *
 * One thread plays all lcores while vnicd attends to what it waits for; the clock goes faster then.
 */
#include "scene.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#include "reload_part.h"
#include "say.h"

#define STEP_MS 50
#define FOREVER UINT32_MAX
#define WIRE 7 /* packets that the port takes */
#define ADAPTERS 3

static struct rig {
	struct scene s;
	struct vnicd *d;
	struct reload reload;
	char why[VNICD_LINE];
	uint64_t ahead_ms;
	uint32_t closed, refused, answered;
	struct rte_ring *wire;
	uint16_t wire_port;
	struct driver driver[ADAPTERS];
} rig;

/* ---- what a reload has beside it ---- */

int __real_clock_gettime(clockid_t id, struct timespec *t);
int __wrap_clock_gettime(clockid_t id, struct timespec *t);
int __wrap_clock_gettime(clockid_t id, struct timespec *t)
{
	int rc = __real_clock_gettime(id, t);

	if (id == CLOCK_MONOTONIC)
		t->tv_sec += (time_t)(rig.ahead_ms / 1000);
	return rc;
}

static void poll_all(const struct vnicd *d)
{
	vnic_control_poll(rig.s.control);
	for (uint32_t i = 0; i < d->conf.nb_adapters; i++)
		vnic_adapter_poll(d->adapter[i].adapter);
	for (uint32_t i = 0; i < d->conf.nb_faces; i++)
		vnic_face_poll(d->face[i].face);
}

void vnicd_attend(struct vnicd *d, int wait_ms)
{
	(void)wait_ms;
	rig.ahead_ms += STEP_MS;
	poll_all(d);
}

uint32_t vnicd_lcores_poll_main(struct vnicd *d)
{
	(void)d;
	return 1;
}

void vnicd_lcores_quiesce(struct vnicd *d)
{
	poll_all(d);
}

bool vnicd_ending(void)
{
	return false;
}

void vnicd_socket_answer(struct vnicd *d)
{
	(void)d;
	rig.answered++;
}

void reload_close_new(struct reload *r)
{
	(void)r;
	rig.closed++;
}

int reload_refuse(struct reload *r, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(r->why, r->len, format, ap);
	va_end(ap);
	rig.refused++;
	return -1;
}

void say(enum say_level level, const char *format, ...)
{
	(void)level;
	(void)format;
}

void say_often(struct say_kind *kind, enum say_level level, const char *format, ...)
{
	(void)kind;
	(void)level;
	(void)format;
}

/* Of what nothing has gone for, nothing is called. */
#define NEVER(name, ...)                                                                           \
	void name(__VA_ARGS__)                                                                     \
	{                                                                                          \
		fail_msg(#name);                                                                   \
	}

NEVER(vnicd_peers_settle, __rte_unused struct vnicd *d, __rte_unused uint16_t port)
NEVER(vnicd_peers_remove, __rte_unused struct vnicd *d, __rte_unused uint16_t port)
NEVER(vnicd_peers_forget, __rte_unused struct vnicd *d, __rte_unused const struct vnic_adapter *a)
NEVER(vnicd_lcores_assign, __rte_unused struct vnicd *d, __rte_unused bool control)
NEVER(vnicd_report_keep, __rte_unused struct vnicd *d, __rte_unused uint32_t adapter)
NEVER(vnicd_report_keep_face, __rte_unused struct vnicd *d, __rte_unused const struct vnic_face *face)
NEVER(relay_remove, __rte_unused struct relay *r)

bool vnicd_peers_poll(struct vnicd *d, int wait_ms)
{
	(void)d;
	(void)wait_ms;
	return false;
}

/* ---- a vnicd ---- */

static uint16_t open_wire(void)
{
	struct rte_eth_conf eth = {0};
	char name[16];
	int port;

	rig.wire = rte_ring_create(bed_unique("wire", name), WIRE, SOCKET_ID_ANY,
				   RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
	port = rte_eth_from_rings(name, &rig.wire, 1, &rig.wire, 1, 0);
	assert_true(port >= 0);
	rig.wire_port = (uint16_t)port;
	assert_int_equal(rte_eth_dev_configure(rig.wire_port, 0, 1, &eth), 0);
	assert_int_equal(rte_eth_tx_queue_setup(rig.wire_port, 0, 0, SOCKET_ID_ANY, NULL), 0);
	assert_int_equal(rte_eth_dev_start(rig.wire_port), 0);
	return rig.wire_port;
}

static void add_adapter(const char *name, uint16_t port)
{
	struct vnicd *d = rig.d;
	uint32_t i = d->conf.nb_adapters++;
	struct vnic_adapter_conf conf = {.name = name, .port = port, .numa_node = -1,
					 .driver = &rig.driver[i].driver,
					 .driver_context = &rig.driver[i]};

	driver_make(&rig.driver[i]);
	snprintf(d->conf.adapter[i].name, CONF_NAME, "%s", name);
	d->adapter[i].conf = &d->conf.adapter[i];
	d->adapter[i].port = port;
	d->adapter[i].adapter = vnic_adapter_create(rig.s.control, &conf);
	assert_non_null(d->adapter[i].adapter);
	assert_int_equal(vnic_adapter_up(d->adapter[i].adapter), VNIC_STATUS_SUCCESS);
}

static void add_null(const char *name)
{
	struct vnic_port_conf conf = {.numa_node = -1};
	char device[32], why[256];
	uint16_t port;

	snprintf(device, sizeof(device), "net_null_%s", name);
	assert_int_equal(vnic_port_open(device, &conf, SCENE_MBUFS, &port, why, sizeof(why)), 0);
	add_adapter(name, port);
}

/* Of the last adapter; it is to go. */
static struct vnic_face *add_face(void)
{
	struct vnic_face_conf conf = {.name = "f", .port = rig.s.upper_port, .depth = 256, .nbl_packets = 4};
	struct vnicd *d = rig.d;
	uint32_t i = d->conf.nb_adapters - 1;

	d->conf.nb_faces = 1;
	snprintf(d->conf.face[0].name, CONF_NAME, "f");
	d->conf.face[0].adapter_index = i;
	d->face[0].conf = &d->conf.face[0];
	d->face[0].face = vnic_face_create(d->adapter[i].adapter, &conf);
	assert_non_null(d->face[0].face);
	return d->face[0].face;
}

static void begin(void)
{
	memset(&rig, 0, sizeof(rig));
	rig.s = scene_open();
	rig.d = calloc(1, sizeof(*rig.d));
	rig.d->control = rig.s.control;
	rig.d->conf.global.drain_ms = 100;
	rig.reload = (struct reload){.d = rig.d, .ticket = vnic_ticket_create(-1), .why = rig.why,
				     .len = sizeof(rig.why), .request = vnic_request_create(rig.s.control)};
}

static void end(void)
{
	struct vnicd *d = rig.d;

	vnic_request_release(rig.reload.request);
	assert_int_equal(vnic_ticket_destroy(rig.reload.ticket), 0);
	assert_int_equal(vnic_face_destroy(d->face[0].face), 0);
	for (uint32_t i = 0; i < d->conf.nb_adapters; i++) {
		assert_int_equal(vnic_adapter_destroy(d->adapter[i].adapter), 0);
		if (d->adapter[i].port != rig.wire_port || rig.wire == NULL)
			assert_int_equal(vnic_port_close(d->adapter[i].port), 0);
	}
	if (rig.wire != NULL) {
		rte_eth_dev_stop(rig.wire_port);
		rte_eth_dev_close(rig.wire_port);
		rte_ring_free(rig.wire);
	}
	free(d);
	scene_close(&rig.s);
}

/* What the wire has leaves, until all is sent. */
static void let_leave(void)
{
	struct vnic_face *f = rig.d->face[0].face;
	void *m;

	for (int i = 0; i < 1000; i++) {
		poll_all(rig.d);
		while (rig.wire != NULL && rte_ring_sc_dequeue(rig.wire, &m) == 0)
			rte_pktmbuf_free(m);
	}
	assert_int_equal(vnic_face_outstanding(f), 0);
}

static struct vnic_face_stats stats(void)
{
	struct vnic_face_stats st;

	vnic_face_stats_get(rig.d->face[0].face, &st);
	return st;
}

static enum vnic_rdbss_state rdbss(uint32_t i)
{
	struct vnic_start_stop_context c;

	vnic_adapter_start_stop(rig.d->adapter[i].adapter, &c);
	return c.state;
}

/* ---- tests ---- */

/* A face goes whose adapter stays; its port has taken three packets of an NBL of four. */
static void packet_in_part(void **state)
{
	static const uint16_t twelve[] = {1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 0};
	struct vnic_face *f;

	(void)state;
	begin();
	add_adapter("a", open_wire());
	f = add_face();
	rig.reload.diff.adapter_stays[0] = true;
	scene_feed(&rig.s, f, twelve);
	poll_all(rig.d);
	assert_int_equal(rte_ring_count(rig.wire), WIRE);
	assert_int_equal(reload_empty(&rig.reload), -1);
	assert_in_range(rig.ahead_ms, 12000, 20000);
	assert_non_null(strstr(rig.why, "in part only"));
	assert_int_equal(rig.refused, 1);
	assert_int_equal(rig.closed, 1);
	/* it goes on: what the port had is sent, what was taken back is counted, new ones are taken */
	assert_int_equal(vnic_face_outstanding(f), 1);
	scene_feed(&rig.s, f, (const uint16_t[]){4, 4, 4, 4, 0});
	let_leave();
	assert_int_equal(stats().sent, 12);
	assert_int_equal(stats().aborted, 4);
	/* and may go now */
	assert_int_equal(reload_empty(&rig.reload), 0);
	assert_int_equal(rig.refused, 1);
	end();
}

/* Two adapters go, and one of them cannot be stopped: its driver's reset does not end. The other, which is
 * stopped before it, is started again. */
static void stop_stays_pending(void **state)
{
	struct vnic_request *reset;
	struct vnic_face *f;

	(void)state;
	begin();
	add_null("a");
	add_null("b");
	add_null("c");
	f = add_face();
	rig.reload.diff.adapter_stays[0] = true;
	reset = vnic_request_create(rig.s.control);
	rig.driver[1].pends[DRIVER_RESET] = FOREVER;
	vnic_adapter_request(rig.d->adapter[1].adapter, VNIC_CONTROL_RESET, 0, reset);
	for (int i = 0; i < 100; i++)
		poll_all(rig.d);
	assert_int_equal(vnic_request_status(reset), VNIC_STATUS_PENDING);
	assert_int_equal(reload_empty(&rig.reload), 0);
	assert_int_equal(reload_stop(&rig.reload), -1);
	assert_in_range(rig.ahead_ms, 12000, 20000);
	assert_non_null(strstr(rig.why, "b: it cannot be stopped now"));
	assert_int_equal(rig.refused, 1);
	assert_int_equal(rig.closed, 1);
	for (uint32_t i = 0; i < ADAPTERS; i++) {
		assert_int_equal(rdbss(i), VNIC_RDBSS_STARTED);
		assert_int_equal(vnic_adapter_state(rig.d->adapter[i].adapter), VNIC_STATE_RUNNING);
		assert_int_equal(rig.driver[i].nb[DRIVER_STOP], i == 2);
	}
	scene_feed(&rig.s, f, (const uint16_t[]){5, 5, 0});
	let_leave();
	assert_int_equal(stats().sent, 2);
	/* when it can be, all are */
	rig.driver[1].pends[DRIVER_RESET] = 0;
	let_leave();
	memset(rig.reload.stopped, 0, sizeof(rig.reload.stopped));
	assert_int_equal(reload_empty(&rig.reload), 0);
	assert_int_equal(reload_stop(&rig.reload), 0);
	assert_int_equal(rdbss(0), VNIC_RDBSS_STARTED);
	assert_int_equal(rdbss(1), VNIC_RDBSS_STARTABLE);
	assert_int_equal(rdbss(2), VNIC_RDBSS_STARTABLE);
	assert_null(reload_started(&rig.reload));
	assert_int_equal(rig.answered, 1);
	vnic_request_release(reset);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packet_in_part),
		cmocka_unit_test(stop_stays_pending),
	};

	return cmocka_run_group_tests_name("reload_go", tests, test_eal_setup, test_eal_teardown);
}
