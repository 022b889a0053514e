/* SPDX-License-Identifier: BSD-3-Clause
 * hop.h - what the machine itself takes to carry a word from one lcore to another and back
 *
 * Main thread, while no team runs.
 */
#ifndef BENCH_HOP_H
#define BENCH_HOP_H

#include "bench.h"

/* The median round trip between app's lcore and the one that applies cancels, ns; 0: there is
 * one lcore, or it does not answer. */
double hop_round_trip_ns(const struct bench *b);

#endif
