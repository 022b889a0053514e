/* SPDX-License-Identifier: BSD-3-Clause
 * datagrams_test.c - numbered UDP datagrams, for where no other program is: a guest
 *
 * usage: datagrams-test send ADDRESS PORT FLOWS N    flow F sends from port 1000 + F the numbers
 *                                                    0 to N - 1, by turns; says "sent F N" of each
 *        datagrams-test listen PORT FILE             writes two 32-bit words, the source port and
 *                                                    the number, of each that arrives; until killed
 * Linked statically. One thread.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FLOWS_MAX 16
#define PORT_FIRST 1000
#define BYTES 200

static void check(int good, const char *what)
{
	if (good)
		return;
	perror(what);
	exit(EXIT_FAILURE);
}

static int udp_socket(uint16_t port)
{
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	check(fd >= 0 && bind(fd, (struct sockaddr *)&here, sizeof(here)) == 0, "socket");
	return fd;
}

static void send_all(const char *address, uint16_t port, uint32_t flows, uint32_t n)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	/* small: who sends waits here, and nothing is dropped where the kernel would queue it */
	int fd[FLOWS_MAX], bytes = 16384;
	uint32_t data[BYTES / 4] = {0};

	check(flows <= FLOWS_MAX && inet_pton(AF_INET, address, &to.sin_addr) == 1, "address");
	for (uint32_t f = 0; f < flows; f++) {
		fd[f] = udp_socket((uint16_t)(PORT_FIRST + f));
		setsockopt(fd[f], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
		check(connect(fd[f], (struct sockaddr *)&to, sizeof(to)) == 0, "connect");
	}
	for (uint32_t i = 0; i < n * flows; i++) {
		data[0] = i / flows;
		check(send(fd[i % flows], data, sizeof(data), 0) == BYTES, "send");
	}
	for (uint32_t f = 0; f < flows; f++)
		printf("sent %u %u\n", f, n);
}

static void listen_to(uint16_t port, const char *path)
{
	int fd = udp_socket(port), bytes = 8 << 20;
	FILE *file = fopen(path, "w");
	struct sockaddr_in from;
	uint32_t data[BYTES / 4], word[2];

	check(file != NULL, path);
	setvbuf(file, NULL, _IONBF, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	puts("listening");
	for (;;) {
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *)&from, &len);

		check(n == BYTES, "recvfrom");
		word[0] = ntohs(from.sin_port);
		word[1] = data[0];
		check(fwrite(word, sizeof(word), 1, file) == 1, path);
	}
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 6 && strcmp(argv[1], "send") == 0)
		send_all(argv[2], (uint16_t)atoi(argv[3]), (uint32_t)atoi(argv[4]),
			 (uint32_t)atoi(argv[5]));
	else if (argc == 4 && strcmp(argv[1], "listen") == 0)
		listen_to((uint16_t)atoi(argv[2]), argv[3]);
	else
		return EXIT_FAILURE;
	return EXIT_SUCCESS;
}
