/* SPDX-License-Identifier: BSD-3-Clause
 * driver.c - the KEY=VALUEs of devargs that a port's driver takes
 */
#include "driver.h"

#include <ctype.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_kvargs.h>
#include <rte_version.h>

#include "devargs.h"

/* Of 22.11; a later DPDK may have more. */
#define ALL_KNOWN (RTE_VERSION < RTE_VERSION_NUM(23, 0, 0, 0))

enum kind {
	ANY,
	NEEDED, /* any, and it must be there */
	ONE_NEEDED, /* any, and one of these must be there */
	NUMBER,
	NAME, /* of an interface that is to be made */
	CHOICE,
	FLAG, /* it may have no value */
};

/* Words are separated by blanks; rows of one driver are neighbours. */
static const struct row {
	const char *driver;
	enum kind kind;
	const char *keys, *choices;
} rows[] = {
	{"net_null", NUMBER, "size copy no-rx"},
	{"net_af_packet", NEEDED, "iface"},
	{"net_af_packet", NUMBER, "qpairs blocksz framesz framecnt qdisc_bypass"},
	{"net_af_xdp", NEEDED, "iface"},
	{"net_af_xdp", NUMBER, "start_queue queue_count shared_umem busy_budget force_copy"},
	{"net_af_xdp", ANY, "xdp_prog"},
	{"net_tap", NAME, "iface"},
	{"net_tap", ANY, "mac remote"},
	{"net_tap", FLAG, "persist"},
	{"net_vhost", NEEDED, "iface"},
	{"net_vhost", NUMBER, "queues client iommu-support postcopy-support tso linear-buffer ext-buffer "
			      "legacy-ol-flags"},
	{"net_virtio_user", NEEDED, "path"},
	{"net_virtio_user", NUMBER, "queues queue_size cq server mrg_rxbuf in_order packed_vq speed "
				    "vectorized"},
	{"net_virtio_user", NAME, "iface"},
	{"net_virtio_user", ANY, "mac"},
	{"net_memif", NUMBER, "id bsize rsize"},
	{"net_memif", CHOICE, "role", "server client master slave"},
	{"net_memif", CHOICE, "socket-abstract zero-copy", "yes no"},
	{"net_memif", ANY, "socket mac secret"},
	{"net_pcap", ONE_NEEDED, "rx_pcap tx_pcap iface rx_iface rx_iface_in tx_iface"},
	{"net_pcap", NUMBER, "phy_mac infinite_rx"},
};

static bool is_of(const struct row *r, const char *devargs)
{
	return devargs_driver(devargs, r->driver);
}

static const char *driver_of(const char *devargs)
{
	for (size_t i = 0; i < RTE_DIM(rows); i++)
		if (is_of(&rows[i], devargs))
			return rows[i].driver;
	return NULL;
}

/* ---- words ---- */

/* The next of a list; its length, 0: there is none. */
static size_t next_word(const char **at)
{
	*at += strspn(*at, " ");
	return strcspn(*at, " ");
}

static bool has_word(const char *list, const char *word)
{
	for (size_t n; (n = next_word(&list)) != 0; list += n)
		if (strlen(word) == n && strncmp(list, word, n) == 0)
			return true;
	return false;
}

/* More words for "a, b, c". */
static void add_words(char *text, size_t len, const char *list)
{
	for (size_t n; (n = next_word(&list)) != 0; list += n) {
		size_t used = strlen(text);

		snprintf(text + used, len - used, "%s%.*s", used != 0 ? ", " : "", (int)n, list);
	}
}

/* ---- values ---- */

static bool is_number(const char *value)
{
	char *end;

	strtoull(value, &end, 0);
	return isdigit((unsigned char)*value) && *end == '\0';
}

static bool is_name(const char *value)
{
	return strlen(value) < IFNAMSIZ && value[strcspn(value, "/: \t")] == '\0';
}

static bool fits(const struct row *r, const char *key, const char *value, char *why, size_t len)
{
	char allowed[64] = "";

	if (value == NULL || *value == '\0') {
		snprintf(why, len, "%s has no value; write %s=VALUE", key, key);
		return r->kind == FLAG;
	}
	if (r->kind == NUMBER && !is_number(value)) {
		snprintf(why, len, "%s=%.40s is no number; write %s=NUMBER", key, value, key);
		return false;
	}
	if (r->kind == NAME && !is_name(value)) {
		snprintf(why, len, "%s=%.40s cannot be an interface's name; write one of up to %d characters, "
			 "without ':', '/' and blanks", key, value, IFNAMSIZ - 1);
		return false;
	}
	if (r->kind == CHOICE && !has_word(r->choices, value)) {
		add_words(allowed, sizeof(allowed), r->choices);
		snprintf(why, len, "%s=%.40s is not a choice; allowed: %s", key, value, allowed);
		return false;
	}
	return true;
}

/* ---- keys ---- */

static void tell_keys(const char *devargs, const char *key, char *why, size_t len)
{
	char keys[256] = "";

	for (size_t i = 0; i < RTE_DIM(rows); i++)
		if (is_of(&rows[i], devargs))
			add_words(keys, sizeof(keys), rows[i].keys);
	snprintf(why, len, "%s has no key '%.40s'; its keys are %s", driver_of(devargs), key, keys);
}

static bool takes(const char *devargs, const struct rte_kvargs_pair *pair, char *why, size_t len)
{
	for (size_t i = 0; i < RTE_DIM(rows); i++)
		if (is_of(&rows[i], devargs) && has_word(rows[i].keys, pair->key))
			return fits(&rows[i], pair->key, pair->value, why, len);
	if (ALL_KNOWN)
		tell_keys(devargs, pair->key, why, len);
	return !ALL_KNOWN;
}

bool driver_takes(const char *devargs, char *why, size_t len)
{
	size_t name = strcspn(devargs, ",");
	struct rte_kvargs *list;
	bool good = true;

	if (driver_of(devargs) == NULL)
		return true;
	list = rte_kvargs_parse(devargs + name + (devargs[name] == ','), NULL);
	if (list == NULL) {
		snprintf(why, len, "more arguments than DPDK reads; use fewer");
		return false;
	}
	for (unsigned int i = 0; i < list->count && good; i++)
		good = takes(devargs, &list->pairs[i], why, len);
	rte_kvargs_free(list);
	return good;
}

static bool has_one(const char *devargs, const char *keys)
{
	char key[32], value[512];

	for (size_t n; (n = next_word(&keys)) != 0; keys += n) {
		snprintf(key, sizeof(key), "%.*s", (int)n, keys);
		if (devargs_value(devargs, key, value, sizeof(value)))
			return true;
	}
	return false;
}

const char *driver_lacks(const char *devargs)
{
	for (size_t i = 0; i < RTE_DIM(rows); i++)
		if (is_of(&rows[i], devargs) && (rows[i].kind == NEEDED || rows[i].kind == ONE_NEEDED) &&
		    !has_one(devargs, rows[i].keys))
			return rows[i].keys;
	return NULL;
}
