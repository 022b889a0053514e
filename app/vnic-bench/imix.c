/* SPDX-License-Identifier: BSD-3-Clause
 * imix.c - a capture of UDP packets of many flows, small or in the simple mix of the internet
 */
#include "pair.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define TURNS 64 /* through the mix; the peer holds all packets in memory */
#define FLOWS 256

/* 7 small, 4 middle, 1 large. */
static const uint16_t sizes[] = {64, 594, 64, 64, 594, 64, 64, 594, 64, 594, 64, 1514};

static void put16(uint8_t *at, unsigned int v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static void make_frame(uint8_t *f, unsigned int size, unsigned int flow)
{
	unsigned int sum = 0;

	memset(f, 0, size);
	f[0] = f[6] = 2; /* locally administered addresses */
	f[5] = 1;
	put16(f + 12, 0x0800);
	f[14] = 0x45;
	put16(f + 16, size - 14);
	f[22] = 64;
	f[23] = 17;
	put16(f + 26, 198 << 8 | 18); /* 198.18.0.0/15: for benchmarks */
	put16(f + 28, flow);
	put16(f + 30, 198 << 8 | 19);
	put16(f + 32, 1);
	for (int i = 14; i < 34; i += 2)
		sum += (unsigned int)f[i] << 8 | f[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	put16(f + 24, ~(sum + (sum >> 16)) & 0xffff);
	put16(f + 34, 1024 + flow);
	put16(f + 36, 9);
	put16(f + 38, size - 34);
}

int imix_write(const char *path, bool small)
{
	const uint32_t head[6] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, 1};
	const unsigned int nb = sizeof(sizes) / sizeof(sizes[0]);
	uint8_t frame[2048];
	FILE *f = fopen(path, "w");

	if (f != NULL)
		fwrite(head, sizeof(head), 1, f);
	for (unsigned int i = 0; i < TURNS * nb && f != NULL; i++) {
		uint32_t size = small ? 64 : sizes[i % nb], record[4] = {0, i, size, size};

		make_frame(frame, size, i % FLOWS);
		fwrite(record, sizeof(record), 1, f);
		fwrite(frame, size, 1, f);
	}
	if (f != NULL && !ferror(f) && fclose(f) == 0)
		return 0;
	fprintf(stderr, "vnic-bench: face: %s cannot be written; is the disk full?\n", path);
	return -1;
}
