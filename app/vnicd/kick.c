/* SPDX-License-Identifier: BSD-3-Clause
 * kick.c - wake a peer that waits for an eventfd, without ever waiting for the peer
 *
 * A write() may wait: whether it does is a property of the open file, which the peer shares, fills
 * and can set to block at any moment. The kernel's own notification of an asynchronous read does
 * not wait, whatever the peer does, and takes eventfds only. So we read nothing, asynchronously.
 */
#include "kick.h"

#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

void kicker_open(struct kicker *k)
{
	k->context = 0;
	k->nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (syscall(SYS_io_setup, 1, &k->context) != 0)
		k->context = 0;
}

void kicker_close(struct kicker *k)
{
	if (k->context != 0)
		syscall(SYS_io_destroy, k->context);
	if (k->nothing >= 0)
		close(k->nothing);
}

void kick_pass(const struct kicker *k, const struct kick *kick)
{
	struct iocb nothing = {.aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = (uint32_t)k->nothing,
			       .aio_flags = IOCB_FLAG_RESFD, .aio_resfd = (uint32_t)kick->to};
	struct iocb *list = &nothing;
	struct io_event done;
	uint64_t times;

	if (read(kick->from, &times, sizeof(times)) != sizeof(times) || k->context == 0)
		return;
	/* it is done when the call returns; that it was leaves room for the next */
	if (syscall(SYS_io_submit, k->context, 1L, &list) == 1)
		syscall(SYS_io_getevents, k->context, 0L, 1L, &done, NULL);
}
