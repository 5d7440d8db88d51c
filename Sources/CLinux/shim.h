// What Linux has and Swift's Glibc module does not show: epoll, eventfd, accept4, thread names.
#ifndef CULVERT_CLINUX_SHIM_H
#define CULVERT_CLINUX_SHIM_H

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

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

#endif
