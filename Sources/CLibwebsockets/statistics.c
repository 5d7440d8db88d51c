// TCP_INFO, in a file of its own: glibc's <netinet/tcp.h> is older than the kernel's struct.
#include "CLibwebsockets.h"
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

bool culvert_read_tcp_statistics(int descriptor, culvert_tcp_statistics *into) {
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    if (getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &length)) return false;
    into->round_trip_microseconds = info.tcpi_rtt;
    into->round_trip_minimum_microseconds = info.tcpi_min_rtt;
    into->unacknowledged_segments = info.tcpi_unacked;
    into->retransmitted_segments = info.tcpi_total_retrans;
    into->unsent_bytes = info.tcpi_notsent_bytes;
    into->delivery_bytes_per_second = info.tcpi_delivery_rate;
    return true;
}
