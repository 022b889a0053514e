/* SPDX-License-Identifier: BSD-3-Clause
 * pcapng.c - blocks of a capture file in pcapng, into memory
 *
 * A block is: type, length, body, options, length; all in this machine's byte order, which the
 * section's header tells, each part padded to 32 bits.
 */
#include "pcapng.h"

#include <stdbool.h>
#include <string.h>

#define PAD(n) (((n) + 3u) & ~(size_t)3)
#define ETHERNET 1u
#define TO_NS 9u /* times are 10^-9 s */

enum { BLOCK_SECTION = 0x0A0D0D0A, BLOCK_INTERFACE = 1, BLOCK_STATISTICS = 5, BLOCK_PACKET = 6 };
enum {
	OPTION_END = 0,
	OPTION_COMMENT = 1,
	SECTION_APPLICATION = 4,
	INTERFACE_NAME = 2,
	INTERFACE_RESOLUTION = 9,
	PACKET_FLAGS = 2,
	STATISTICS_RECEIVED = 4,
	STATISTICS_DROPPED = 5,
};

/* What is being written; `full` once it has not fitted. */
struct cursor {
	char *begin, *at, *end;
	bool full;
};

static void put(struct cursor *c, const void *data, size_t n)
{
	if (c->full || (size_t)(c->end - c->at) < PAD(n)) {
		c->full = true;
		return;
	}
	if (n != 0)
		memcpy(c->at, data, n);
	memset(c->at + n, 0, PAD(n) - n);
	c->at += PAD(n);
}

static void put32(struct cursor *c, uint32_t v)
{
	put(c, &v, sizeof(v));
}

static void put_time(struct cursor *c, uint64_t ns)
{
	put32(c, (uint32_t)(ns >> 32));
	put32(c, (uint32_t)ns);
}

static void put_option(struct cursor *c, uint16_t code, const void *value, size_t n)
{
	const uint16_t head[] = {code, (uint16_t)n};

	put(c, head, sizeof(head));
	put(c, value, n);
}

static struct cursor begin(void *at, size_t room, uint32_t type)
{
	struct cursor c = {.begin = at, .at = at, .end = (char *)at + room};

	put32(&c, type);
	put32(&c, 0); /* end() knows */
	return c;
}

static size_t end(struct cursor *c)
{
	uint32_t length;

	put_option(c, OPTION_END, NULL, 0);
	length = (uint32_t)(c->at - c->begin) + (uint32_t)sizeof(length);
	put32(c, length);
	if (c->full)
		return 0;
	memcpy(c->begin + sizeof(uint32_t), &length, sizeof(length));
	return length;
}

size_t vnic__pcapng_section(void *at, size_t room, const char *application)
{
	const struct {
		uint32_t magic;
		uint16_t major, minor;
		int64_t length; /* not known */
	} head = {0x1A2B3C4D, 1, 0, -1};
	struct cursor c = begin(at, room, BLOCK_SECTION);

	put(&c, &head, sizeof(head));
	put_option(&c, SECTION_APPLICATION, application, strlen(application));
	return end(&c);
}

size_t vnic__pcapng_interface(void *at, size_t room, const char *name, uint32_t snaplen)
{
	const uint8_t resolution = TO_NS;
	struct cursor c = begin(at, room, BLOCK_INTERFACE);
	const uint16_t link[] = {ETHERNET, 0};

	put(&c, link, sizeof(link));
	put32(&c, snaplen);
	put_option(&c, INTERFACE_NAME, name, strlen(name));
	put_option(&c, INTERFACE_RESOLUTION, &resolution, sizeof(resolution));
	return end(&c);
}

size_t vnic__pcapng_packet(void *at, size_t room, const struct vnic__pcapng_packet *p)
{
	const uint32_t flags = VNIC__PCAPNG_OUTBOUND;
	struct cursor c = begin(at, room, BLOCK_PACKET);

	put32(&c, p->interface);
	put_time(&c, p->time_ns);
	put32(&c, p->bytes);
	put32(&c, p->wire_bytes);
	put(&c, p->data, p->bytes);
	put_option(&c, PACKET_FLAGS, &flags, sizeof(flags));
	put_option(&c, OPTION_COMMENT, p->comment, strnlen(p->comment, VNIC__PCAPNG_COMMENT));
	return end(&c);
}

size_t vnic__pcapng_statistics(void *at, size_t room, uint32_t interface, uint64_t time_ns,
			       uint64_t packets, uint64_t lost)
{
	struct cursor c = begin(at, room, BLOCK_STATISTICS);

	put32(&c, interface);
	put_time(&c, time_ns);
	put_option(&c, STATISTICS_RECEIVED, &packets, sizeof(packets));
	put_option(&c, STATISTICS_DROPPED, &lost, sizeof(lost));
	return end(&c);
}
