/* SPDX-License-Identifier: BSD-3-Clause
 * kick.c - wake a peer that waits for an eventfd, without ever waiting for the peer
 *
 * A write() may wait: whether it does is a property of the open file, which the peer shares, fills
 * and can set to block at any moment. The kernel's own notification of an asynchronous read does
 * not wait, whatever the peer does, and takes eventfds only. So we read nothing, asynchronously.
 */
#include "kick.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "descriptor.h"

/* ---- one kick ---- */

void kicker_open(struct kicker *k)
{
	k->nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (io_queue_init(1, &k->context) != 0)
		k->context = NULL;
}

void kicker_close(struct kicker *k)
{
	if (k->context != NULL)
		io_queue_release(k->context);
	descriptor_close(&k->nothing);
}

/* If there is one. */
static void pass(const struct kicker *k, const struct kick *kick)
{
	struct iocb nothing, *list = &nothing;
	struct io_event done;
	uint64_t times;

	if (read(kick->from, &times, sizeof(times)) != sizeof(times) || k->context == NULL)
		return;
	io_prep_pread(&nothing, k->nothing, NULL, 0, 0);
	io_set_eventfd(&nothing, kick->to);
	/* it is done when the call returns; that it was leaves room for the next */
	if (io_submit(k->context, 1, &list) == 1)
		io_getevents(k->context, 0, 1, &done, NULL);
}

/* ---- those of a port ---- */

const char *kicks_part(struct kicks *k, int *fd, bool peers, bool sends, int waker)
{
	int ours = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int kept = sends ? fcntl(ours, F_DUPFD_CLOEXEC, 0) : -1;

	if (ours < 0 || (sends && (kept < 0 || k->nb == MEMIF_RINGS_MAX))) {
		descriptor_close(&kept);
		descriptor_close(&ours);
		return "no descriptors are left for its rings";
	}
	if (sends) {
		struct kick *kick = &k->kick[k->nb++];

		*kick = (struct kick){.from = peers ? kept : *fd, .to = peers ? *fd : kept};
		descriptor_watch(waker, kick->from);
	} else {
		descriptor_close(fd);
	}
	*fd = ours;
	return NULL;
}

void kicks_pass(const struct kicks *k, const struct kicker *kicker)
{
	for (uint32_t i = 0; i < k->nb; i++)
		pass(kicker, &k->kick[i]);
}

void kicks_forget(struct kicks *k, int waker)
{
	while (k->nb != 0) {
		struct kick *kick = &k->kick[--k->nb];

		descriptor_unwatch(waker, kick->from); /* the driver may have it still */
		descriptor_close(&kick->from);
		descriptor_close(&kick->to);
	}
}
