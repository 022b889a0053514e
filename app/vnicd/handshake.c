/* SPDX-License-Identifier: BSD-3-Clause
 * handshake.c - what a peer of a memif port has said so far, and may say next
 */
#include "handshake.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/vfs.h>

void handshake_begin(struct handshake *h)
{
	*h = (struct handshake){.server = h->server, .zero_copy = h->zero_copy, .c2s = h->c2s, .s2c = h->s2c};
}

/* ---- a memif client's ---- */

static bool in_hugepages(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC;
}

/* Memory that cannot become shorter under our feet: only files made to be sealed promise it. EAL
 * does not seal its hugepages; who wants zero copy takes its clients' word for these. */
static const char *check_region(struct handshake *h, const struct memif_message *m, int fd)
{
	struct stat st;
	int seals;

	if (fd < 0 || m->region.index != h->nb_regions || h->nb_regions == MEMIF_REGIONS_MAX)
		return "a region without memory, or out of turn";
	if (m->region.size == 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
	    (uint64_t)st.st_size < m->region.size)
		return "a region larger than its file";
	seals = fcntl(fd, F_GET_SEALS);
	if ((seals < 0 || (seals & F_SEAL_SHRINK) == 0) &&
	    (h->nb_regions == 0 || !h->zero_copy || !in_hugepages(fd)))
		return "a region that may shrink (hugepages of a client: zero-copy=yes here, too)";
	h->region_size[h->nb_regions++] = m->region.size;
	return NULL;
}

static const char *check_ring(struct handshake *h, const struct memif_message *m, int fd)
{
	uint32_t *nb = m->ring.flags & MEMIF_RING_C2S ? &h->nb_c2s : &h->nb_s2c;
	uint64_t end;

	if (*nb == (m->ring.flags & MEMIF_RING_C2S ? h->c2s : h->s2c))
		return "more queues than the port has";
	if (fd < 0 || m->ring.index != *nb)
		return "a ring without descriptor, or out of turn";
	if (m->ring.log2_ring == 0 || m->ring.log2_ring > MEMIF_LOG2_RING_MAX ||
	    m->ring.region >= h->nb_regions)
		return "a ring of no size, or in no region";
	end = m->ring.offset + (uint64_t)MEMIF_RING_HEAD + ((uint64_t)MEMIF_RING_SLOT << m->ring.log2_ring);
	if (end > h->region_size[m->ring.region])
		return "a ring that leaves its region";
	++*nb;
	return NULL;
}

static const char *check_client(struct handshake *h, const struct memif_message *m, int fd)
{
	if (h->connecting)
		return m->type == MEMIF_DISCONNECT ? "" : "a message after CONNECT";
	switch (m->type) {
	case MEMIF_ADD_REGION: return check_region(h, m, fd);
	case MEMIF_ADD_RING: return check_ring(h, m, fd);
	case MEMIF_CONNECT:
		if (h->nb_c2s != h->c2s || h->nb_s2c != h->s2c)
			return "fewer queues than the port has";
		h->connecting = true;
		return NULL;
	case MEMIF_DISCONNECT: return "";
	default: return "a message that is not a client's, or out of turn";
	}
}

/* ---- a memif server's ---- */

static const char *check_hello(struct handshake *h, const struct memif_message *m)
{
	if (h->hello || m->hello.min_version > MEMIF_VERSION || m->hello.max_version < MEMIF_VERSION ||
	    m->hello.max_log2_ring == 0)
		return "a second HELLO, or of another version";
	if (m->hello.max_c2s_ring < h->c2s - 1 || m->hello.max_s2c_ring < h->s2c - 1)
		return "fewer queues than the port has";
	h->hello = true;
	return NULL;
}

static const char *check_server(struct handshake *h, const struct memif_message *m)
{
	if (h->connected)
		return m->type == MEMIF_DISCONNECT ? "" : "a message after CONNECTED";
	switch (m->type) {
	case MEMIF_HELLO: return check_hello(h, m);
	case MEMIF_ACK:
		if (h->owed == 0)
			return "an acknowledgement of nothing";
		h->owed--;
		return NULL;
	case MEMIF_CONNECTED:
		h->connected = h->connecting;
		return h->connecting ? NULL : "CONNECTED without CONNECT";
	case MEMIF_DISCONNECT: return "";
	default: return "a message that is not a server's";
	}
}

/* ---- both ---- */

const char *handshake_hear(struct handshake *h, const struct memif_message *m, int fd)
{
	const char *wrong = h->server ? check_client(h, m, fd) : check_server(h, m);

	if (wrong == NULL && fd >= 0 && m->type != MEMIF_ADD_REGION && m->type != MEMIF_ADD_RING)
		return "a descriptor where none belongs";
	return wrong;
}

void handshake_say(struct handshake *h, const struct memif_message *m)
{
	h->owed += m->type >= MEMIF_INIT && m->type <= MEMIF_ADD_RING;
	h->connecting |= m->type == MEMIF_CONNECT;
}
