// The lws context, its event loop, and the callback that turns lws' reasons into few events.
#include "internal.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

culvert_loop_ref culvert_loop_of(struct lws *wsi) {
    return lws_context_user(lws_get_context(wsi));
}

void culvert_log_to(void (*emit)(int level, const char *line)) {
    lws_set_log_level(LLL_ERR | LLL_WARN, emit);
}

static int deliver(struct lws *wsi, culvert_event event, void *bytes, size_t length) {
    culvert_loop_ref loop = culvert_loop_of(wsi);
    loop->events_this_turn++;
    return loop->options.on_event(loop->options.owner, wsi,
                                  (uintptr_t)lws_get_opaque_user_data(wsi), event, bytes, length);
}

// poll() serves lws' timers before it waits: what they close has to end the wait.
static int deliver_end(struct lws *wsi, culvert_event event, void *bytes, size_t length) {
    culvert_loop_ref loop = culvert_loop_of(wsi);
    if (!loop->options.uses_uv && loop->context) lws_cancel_service(loop->context);
    return deliver(wsi, event, bytes, length);
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
    case LWS_CALLBACK_RAW_RX_FILE:
        return deliver(wsi, CULVERT_READABLE, NULL, 0);
    case LWS_CALLBACK_SERVER_WRITEABLE:
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        return deliver(wsi, CULVERT_WRITABLE, NULL, 0);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        return deliver(wsi, CULVERT_PEER_CLOSED, in, length);
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        return deliver_end(wsi, CULVERT_CONNECT_FAILED, in, length);
    case LWS_CALLBACK_CLOSED:
    case LWS_CALLBACK_CLIENT_CLOSED:
        return deliver_end(wsi, CULVERT_CLOSED, NULL, 0);
    case LWS_CALLBACK_WSI_DESTROY:
        return deliver_end(wsi, CULVERT_DESTROYED, NULL, 0);
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

static void deadline_passed(lws_sorted_usec_list_t *sul) {}
static void uv_deadline_passed(uv_timer_t *timer) {}
static void uv_woken(uv_async_t *wake) {}

// libuv runs lws' timers and its pending TLS reads before it waits: the turn has to end first.
static void uv_about_to_poll(uv_prepare_t *prepare) {
    culvert_loop_ref loop = prepare->data;
    if (loop->events_this_turn) uv_stop(&loop->uv);
}

static bool create_uv(culvert_loop_ref loop) {
    if (uv_loop_init(&loop->uv)) return false;
    uv_async_init(&loop->uv, &loop->uv_wake, uv_woken);
    uv_timer_init(&loop->uv, &loop->uv_deadline);
    uv_prepare_init(&loop->uv, &loop->uv_before_poll);
    loop->uv_before_poll.data = loop;
    uv_prepare_start(&loop->uv_before_poll, uv_about_to_poll);
    loop->foreign_loops[0] = &loop->uv;
    return true;
}

static bool create_context(culvert_loop_ref loop) {
    struct lws_context_creation_info info = {0};
    info.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_SKIP_SERVER_CANONICAL_NAME;
    if (loop->options.initialises_tls) info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    if (loop->options.uses_uv) {
        // A foreign loop always: lws' own would take SIGTERM and SIGSEGV over.
        if (!create_uv(loop)) return false;
        info.options |= LWS_SERVER_OPTION_LIBUV;
        info.foreign_loops = loop->foreign_loops;
    }
    info.user = loop;
    info.pt_serv_buf_size = CULVERT_READ_BUFFER;
    info.max_http_header_data = 16384;
    // Never 0: that sizes tables by RLIMIT_NOFILE and refuses descriptors above it. A connection may
    // have two sockets, see culvert_read_directly.
    info.fd_limit_per_thread = 2 * loop->options.maximum_connections + 8;
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
    loop->handover_descriptor = loop->handover_listener = -1;
    strncpy(loop->subprotocol, options->subprotocol, sizeof loop->subprotocol - 1);
    loop->options.subprotocol = loop->subprotocol;
    loop->idle.secs_since_valid_ping = options->ping_seconds;
    loop->idle.secs_since_valid_hangup = options->hangup_seconds;
    if (culvert_client_tls_create(loop) && create_context(loop) &&
        (loop->client = create_vhost(loop, false)) &&
        (!options->accepts || (loop->server = create_vhost(loop, true))))
        return loop;
    culvert_loop_destroy(loop);
    return NULL;
}

bool culvert_loop_turn(culvert_loop_ref loop, bool may_block) {
    loop->events_this_turn = 0;
    if (!loop->options.uses_uv) return lws_service(loop->context, may_block ? 0 : -1) >= 0;
    uv_run(&loop->uv, may_block ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    return true;
}

// lws' own wake-up would start its idle handler each time: an epoll_wait more for nothing.
void culvert_loop_wake(culvert_loop_ref loop) {
    if (loop->options.uses_uv)
        uv_async_send(&loop->uv_wake);
    else
        lws_cancel_service(loop->context);
}

void culvert_loop_service_again(culvert_loop_ref loop) { lws_cancel_service(loop->context); }

void culvert_loop_set_deadline(culvert_loop_ref loop, int64_t microseconds) {
    if (!loop->options.uses_uv) {
        lws_sul_schedule(loop->context, 0, &loop->deadline, deadline_passed,
                         microseconds < 0 ? LWS_SET_TIMER_USEC_CANCEL : microseconds + 999);
    } else if (microseconds < 0) {
        uv_timer_stop(&loop->uv_deadline);
    } else {
        uv_update_time(&loop->uv);
        uv_timer_start(&loop->uv_deadline, uv_deadline_passed, (microseconds + 999) / 1000, 0);
    }
}

void culvert_loop_destroy(culvert_loop_ref loop) {
    if (loop->options.uses_uv && loop->context) {
        // Nothing turns the loop any more, so nothing is called back; see the header.
        loop->options.on_event = NULL;
        return;
    }
    if (loop->context) {
        lws_sul_cancel(&loop->deadline);
        lws_context_destroy(loop->context);
    }
    SSL_CTX_free(loop->client_tls);
    free(loop);
}
