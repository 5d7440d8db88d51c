// What Linux has and Swift's Glibc module does not show: epoll, eventfd, accept4, thread names,
// rtnetlink.
#ifndef CULVERT_CLINUX_SHIM_H
#define CULVERT_CLINUX_SHIM_H

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

// Declared by glibc under _GNU_SOURCE only, which an imported module cannot ask for.
extern int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);
extern int pthread_setname_np(pthread_t thread, const char *name);

static const int culvert_accept_flags = SOCK_CLOEXEC | SOCK_NONBLOCK;
static const int culvert_stream_flags = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
static const int culvert_eventfd_flags = EFD_CLOEXEC | EFD_NONBLOCK;
static const int culvert_epoll_flags = EPOLL_CLOEXEC;
// Edge-triggered: a hello that stopped half-way leaves its bytes in the queue, and must not spin.
static const unsigned culvert_edge_events = EPOLLIN | EPOLLRDHUP | EPOLLET;
static const unsigned culvert_hangup_events = EPOLLRDHUP | EPOLLHUP | EPOLLERR;

// The family of a socket's name, and where in it the address without its port is. Here, since which
// module shows the members of these structures to Swift hangs on what else is imported beside it.
static inline int culvert_name_family(const void *name) {
    return ((const struct sockaddr *)name)->sa_family;
}
static const size_t culvert_ipv4_offset = offsetof(struct sockaddr_in, sin_addr);
static const size_t culvert_ipv6_offset = offsetof(struct sockaddr_in6, sin6_addr);

// A socket that gets a message for each change of addresses and routes (rtnetlink(7)), or -1.
static inline int culvert_watch_network(void) {
    struct sockaddr_nl name = {.nl_family = AF_NETLINK};
    int watch = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (watch < 0) return -1;
    name.nl_groups =
        RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
    if (!bind(watch, (struct sockaddr *)&name, sizeof name)) return watch;
    close(watch);
    return -1;
}

#endif
