// The lws context, what it waits for, and the callback that turns lws' reasons into few events.
#define _GNU_SOURCE
#include "internal.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

culvert_loop_ref culvert_loop_of(struct lws *wsi) {
    return lws_context_user(lws_get_context(wsi));
}

void culvert_log_to(void (*emit)(int level, const char *line)) {
    lws_set_log_level(LLL_ERR | LLL_WARN, emit);
}

static int deliver(struct lws *wsi, culvert_event event, void *bytes, size_t length) {
    culvert_loop_ref loop = culvert_loop_of(wsi);
    return loop->options.on_event(loop->options.owner, wsi,
                                  (uintptr_t)lws_get_opaque_user_data(wsi), event, bytes, length);
}

// CVE-2025-11677 and the h2c holes need a request that is kept alive or an upgrade to something
// else. `in` is not looked at: for an unknown upgrade it may already have been freed.
static int upgrade_asked(struct lws *wsi) {
    char upgrade[16];
    if (lws_hdr_copy(wsi, upgrade, sizeof upgrade, WSI_TOKEN_UPGRADE) <= 0 ||
        strcasecmp(upgrade, "websocket"))
        return -1;
    return deliver(wsi, CULVERT_UPGRADE_ASKED, NULL, 0) ? -1 : 0;
}

static int on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                  size_t length) {
    switch (reason) {
    case LWS_CALLBACK_FILTER_HTTP_CONNECTION:
    case LWS_CALLBACK_HTTP:
        lws_return_http_status(wsi, 426, NULL);
        return -1;
    case LWS_CALLBACK_HTTP_BODY:
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
    case LWS_CALLBACK_HTTP_WRITEABLE:
    case LWS_CALLBACK_RAW_ADOPT: // CONNECT ends up here
    case LWS_CALLBACK_RAW_RX:
    case LWS_CALLBACK_RAW_WRITEABLE:
    case LWS_CALLBACK_RAW_CONNECTED:
        return -1;
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        return upgrade_asked(wsi);

    case LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS:
        return culvert_server_tls_prepare(culvert_loop_of(wsi), user);
    case LWS_CALLBACK_WSI_CREATE:
        return culvert_take_over_descriptor(culvert_loop_of(wsi), wsi);
    case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
        return deliver(wsi, CULVERT_APPEND_HEADERS, in, length);
    case LWS_CALLBACK_CLIENT_FILTER_PRE_ESTABLISH:
        return deliver(wsi, CULVERT_ANSWER_RECEIVED, NULL, 0);

    case LWS_CALLBACK_ESTABLISHED:
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        return deliver(wsi, CULVERT_OPENED, NULL, 0);
    case LWS_CALLBACK_RECEIVE:
    case LWS_CALLBACK_CLIENT_RECEIVE:
        return deliver(wsi, CULVERT_RECEIVED, in, length);
    case LWS_CALLBACK_SERVER_WRITEABLE:
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        return deliver(wsi, CULVERT_WRITABLE, NULL, 0);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        return deliver(wsi, CULVERT_PEER_CLOSED, in, length);
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        return deliver(wsi, CULVERT_CONNECT_FAILED, in, length);
    case LWS_CALLBACK_CLOSED:
    case LWS_CALLBACK_CLIENT_CLOSED:
        return deliver(wsi, CULVERT_CLOSED, NULL, 0);
    case LWS_CALLBACK_WSI_DESTROY:
        return deliver(wsi, CULVERT_DESTROYED, NULL, 0);
    default:
        return 0; // EVENT_WAIT_CANCELLED too: anything else would close the wake-up pipe
    }
}

static struct lws_vhost *create_vhost(culvert_loop_ref loop, bool server) {
    const struct lws_protocols protocols[] = {
        {.name = loop->subprotocol, .callback = on_lws, .rx_buffer_size = CULVERT_READ_BUFFER,
         .tx_packet_size = CULVERT_READ_BUFFER},
        {0},
    };
    struct lws_context_creation_info info = {0};
    info.vhost_name = server ? "server" : "client";
    info.port = server ? CONTEXT_PORT_NO_LISTEN_SERVER : CONTEXT_PORT_NO_LISTEN;
    info.protocols = protocols; // copied; only the name is kept by pointer
    info.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT |
                   (server ? LWS_SERVER_OPTION_CREATE_VHOST_SSL_CTX : 0);
    info.http_proxy_address = ":0"; // or the environment's http_proxy is used, silently
    info.alpn = "http/1.1";
    info.timeout_secs = loop->options.timeout_seconds;
    info.connect_timeout_secs = loop->options.timeout_seconds;
    info.timeout_secs_ah_idle = loop->options.timeout_seconds;
    info.retry_and_idle_policy = &loop->idle;
    if (!server) info.provided_client_ssl_ctx = loop->client_tls;
    return lws_create_vhost(loop->context, &info);
}

static const uint64_t bell_tag = UINT64_MAX;

static bool watch(culvert_loop_ref loop, int descriptor, uint32_t events, uint64_t tag) {
    struct epoll_event event = {.events = events, .data.u64 = tag};
    return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

// A foreign loop always: lws' own would take SIGTERM and SIGSEGV over.
static bool create_waiting(culvert_loop_ref loop) {
    if (uv_loop_init(&loop->uv)) return false;
    loop->foreign_loops[0] = &loop->uv;
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    // Edge-triggered: every ring wakes, and nobody has to read it.
    return loop->epoll >= 0 && loop->bell >= 0 &&
           watch(loop, uv_backend_fd(&loop->uv), EPOLLIN, CULVERT_SERVICE) &&
           watch(loop, loop->bell, EPOLLIN | EPOLLET, bell_tag);
}

static bool create_context(culvert_loop_ref loop) {
    struct lws_context_creation_info info = {0};
    info.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_SKIP_SERVER_CANONICAL_NAME;
    if (loop->options.initialises_tls) info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    info.options |= LWS_SERVER_OPTION_LIBUV;
    info.foreign_loops = loop->foreign_loops;
    info.user = loop;
    info.pt_serv_buf_size = CULVERT_READ_BUFFER;
    info.max_http_header_data = 16384;
    // Never 0: that sizes tables by RLIMIT_NOFILE and refuses descriptors above it.
    info.fd_limit_per_thread = loop->options.maximum_connections + 8;
    info.timeout_secs = loop->options.timeout_seconds;
    info.server_string = "culvert";
    info.alpn = "http/1.1";
    loop->context = lws_create_context(&info);
    return loop->context != NULL;
}

culvert_loop_ref culvert_loop_create(const culvert_loop_options *options) {
    culvert_loop_ref loop = calloc(1, sizeof *loop);
    if (!loop) return NULL;
    loop->options = *options;
    loop->handover_descriptor = loop->handover_listener = loop->epoll = loop->bell = -1;
    strncpy(loop->subprotocol, options->subprotocol, sizeof loop->subprotocol - 1);
    loop->options.subprotocol = loop->subprotocol;
    loop->idle.secs_since_valid_ping = options->ping_seconds;
    loop->idle.secs_since_valid_hangup = options->hangup_seconds;
    if (culvert_client_tls_create(loop) && create_waiting(loop) && create_context(loop) &&
        (loop->client = create_vhost(loop, false)) &&
        (!options->accepts || (loop->server = create_vhost(loop, true))))
        return loop;
    culvert_loop_destroy(loop);
    return NULL;
}

int culvert_loop_wait(culvert_loop_ref loop, int milliseconds, uintptr_t *ready, int room) {
    struct epoll_event events[CULVERT_READY_AT_ONCE];
    int most = room < CULVERT_READY_AT_ONCE ? room : CULVERT_READY_AT_ONCE, length = 0;
    int count = epoll_wait(loop->epoll, events, most, milliseconds);
    for (int index = 0; index < count; index++)
        if (events[index].data.u64 != bell_tag) ready[length++] = events[index].data.u64;
    return length;
}

void culvert_loop_wake(culvert_loop_ref loop) { eventfd_write(loop->bell, 1); }

void culvert_loop_service(culvert_loop_ref loop) { uv_run(&loop->uv, UV_RUN_NOWAIT); }

// libuv tells the kernel of new watches only as it polls; its list of them has another type in later
// versions, but begins with a pointer to its first member, or to itself, in all of them.
bool culvert_loop_wants_service(culvert_loop_ref loop) {
    void *first;
    memcpy(&first, &loop->uv.watcher_queue, sizeof first);
    return first != (void *)&loop->uv.watcher_queue || uv_backend_timeout(&loop->uv) == 0;
}

int culvert_loop_patience(culvert_loop_ref loop) {
    uv_update_time(&loop->uv);
    return uv_backend_timeout(&loop->uv);
}

void culvert_loop_service_again(culvert_loop_ref loop) { lws_cancel_service(loop->context); }

bool culvert_read_directly(culvert_loop_ref loop, culvert_socket socket, uintptr_t id) {
    SSL *tls = lws_get_ssl(socket);
    if (!tls || SSL_has_pending(tls) || !watch(loop, lws_get_socket_fd(socket), EPOLLIN, id))
        return false;
    lws_rx_flow_control(socket, 0);
    SSL_set_read_ahead(tls, 1); // a record's head and body in one system call, not in two
    return true;
}

void culvert_stop_reading(culvert_loop_ref loop, culvert_socket socket) {
    epoll_ctl(loop->epoll, EPOLL_CTL_DEL, lws_get_socket_fd(socket), NULL);
}

void culvert_loop_destroy(culvert_loop_ref loop) {
    // Nothing turns the loop any more, so nothing is called back; see the header.
    loop->options.on_event = NULL;
    if (loop->epoll >= 0) close(loop->epoll);
    if (loop->bell >= 0) close(loop->bell);
    if (loop->context) return;
    SSL_CTX_free(loop->client_tls);
    free(loop);
}
