// One connection: how it begins, what it says, how it ends.
#define _GNU_SOURCE
#include "internal.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

culvert_socket culvert_adopt(culvert_loop_ref loop, int descriptor, uintptr_t id) {
    lws_adopt_desc_t adoption = {0};
    adoption.vh = loop->server;
    adoption.type = LWS_ADOPT_SOCKET | LWS_ADOPT_HTTP | LWS_ADOPT_ALLOW_SSL;
    adoption.fd.sockfd = descriptor;
    adoption.opaque = (void *)id;
    return lws_adopt_descriptor_vhost_via_info(&adoption);
}

// A listening socket under an abstract name the kernel chooses; `address` gets "+@name".
static int listen_for_handover(char *address, size_t room) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    socklen_t length = sizeof(sa_family_t);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0) return -1;
    if (bind(listener, (struct sockaddr *)&name, length) || listen(listener, 1)) goto failed;
    length = sizeof name;
    if (getsockname(listener, (struct sockaddr *)&name, &length)) goto failed;
    snprintf(address, room, "+@%.*s", (int)(length - sizeof(sa_family_t) - 1), name.sun_path + 1);
    return listener;
failed:
    close(listener);
    return -1;
}

// lws 4.1 cannot adopt a client's socket. So it connects to the unix socket above, which succeeds
// at once, and our socket takes that one's number before TLS starts: WSI_CREATE is called between.
culvert_socket culvert_connect(culvert_loop_ref loop, int descriptor, const culvert_target *target,
                               uintptr_t id) {
    char address[sizeof(struct sockaddr_un) + 3];
    struct lws_client_connect_info info = {0};
    struct lws *wsi = NULL;
    int listener = listen_for_handover(address, sizeof address);
    if (listener >= 0) {
        info.context = loop->context;
        info.vhost = loop->client;
        info.address = address;
        info.port = 443;
        info.ssl_connection = LCCSCF_USE_SSL | LCCSCF_HTTP_NO_FOLLOW_REDIRECT;
        info.path = target->path;
        info.host = target->host;
        info.protocol = info.local_protocol_name = loop->subprotocol;
        info.alpn = "http/1.1";
        info.retry_and_idle_policy = &loop->idle;
        info.opaque_user_data = (void *)id;
        loop->handover_descriptor = descriptor;
        loop->handover_listener = listener;
        loop->handover_trust = target->trust;
        wsi = lws_client_connect_via_info(&info);
        loop->handover_descriptor = loop->handover_listener = -1;
        loop->handover_trust = NULL;
        close(listener);
    }
    close(descriptor); // lws has its own number for it by now, or nobody wants it
    return wsi;
}

int culvert_take_over_descriptor(culvert_loop_ref loop, struct lws *wsi) {
    int throwaway, number = lws_get_socket_fd(wsi);
    if (loop->handover_descriptor < 0 || number < 0) return 0;
    while ((throwaway = accept4(loop->handover_listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
        close(throwaway);
    if (dup3(loop->handover_descriptor, number, O_CLOEXEC) < 0) shutdown(number, SHUT_RDWR);
    loop->handover_descriptor = -1;
    return 0;
}

// RFC 6455 5.3 wants masks nobody can foresee; asking OpenSSL for four bytes at a time is slow.
static bool take_mask(culvert_loop_ref loop, uint32_t *mask) {
    if (loop->masks_left == 0) {
        if (RAND_bytes((unsigned char *)loop->masks, sizeof loop->masks) != 1) return false;
        loop->masks_left = sizeof loop->masks / sizeof loop->masks[0];
    }
    *mask = loop->masks[--loop->masks_left];
    return true;
}

static void mask_payload(uint8_t *payload, size_t length, uint32_t mask) {
    uint64_t wide = mask | (uint64_t)mask << 32;
    size_t done = 0;
    for (; length - done >= sizeof wide; done += sizeof wide) { // the compiler makes vectors of it
        uint64_t word;
        memcpy(&word, payload + done, sizeof word);
        word ^= wide;
        memcpy(payload + done, &word, sizeof word);
    }
    for (size_t index = 0; done < length; index++, done++)
        payload[done] ^= ((const uint8_t *)&mask)[index % sizeof mask];
}

// A client's frame, made here: lws masks byte by byte, which cost a third of a connector's time in
// a download, and reads /dev/urandom for every frame. What goes out raw keeps its order with the
// frames lws makes, pongs and the close.
static int write_masked(culvert_socket socket, uint8_t *message, size_t length) {
    uint32_t mask;
    if (!take_mask(culvert_loop_of(socket), &mask)) return -1;
    mask_payload(message, length, mask);
    uint8_t *frame = message - sizeof mask;
    memcpy(frame, &mask, sizeof mask);
    if (length < 126) {
        *--frame = (uint8_t)(0x80 | length);
    } else {
        *--frame = (uint8_t)length;
        *--frame = (uint8_t)(length >> 8);
        *--frame = 0x80 | 126;
    }
    *--frame = 0x80 | 0x2; // the whole message, binary
    return lws_write(socket, frame, (size_t)(message + length - frame), LWS_WRITE_RAW);
}

int culvert_write(culvert_socket socket, uint8_t *message, size_t length) {
    if (length > CULVERT_LONGEST_MESSAGE) return -1;
    if (lws_get_vhost(socket) == culvert_loop_of(socket)->client)
        return write_masked(socket, message, length);
    return lws_write(socket, message, length, LWS_WRITE_BINARY);
}

bool culvert_choked(culvert_socket socket) { return lws_send_pipe_choked(socket); }

bool culvert_has_unwritten(culvert_socket socket) { return lws_partial_buffered(socket); }

void culvert_pong(culvert_socket socket, const void *payload, size_t length) {
    uint8_t frame[LWS_PRE + 125];
    if (length > sizeof frame - LWS_PRE || lws_send_pipe_choked(socket)) return;
    memcpy(frame + LWS_PRE, payload, length);
    lws_write(socket, frame + LWS_PRE, length, LWS_WRITE_PONG);
}

void culvert_ask_writable(culvert_socket socket) { lws_callback_on_writable(socket); }

void culvert_set_reading(culvert_socket socket, bool reading) {
    lws_rx_flow_control(socket, reading);
}

void culvert_set_close_reason(culvert_socket socket, uint16_t code, const char *reason,
                              size_t length) {
    lws_close_reason(socket, code, (unsigned char *)reason, length);
}

void culvert_close(culvert_socket socket, uint16_t code, const char *reason, size_t length) {
    culvert_set_close_reason(socket, code, reason, length);
    lws_set_timeout(socket, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_SYNC);
}

void culvert_abort(culvert_socket socket) {
    lws_set_timeout(socket, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
}

void culvert_confirm_alive(culvert_socket socket) { lws_validity_confirmed(socket); }

int culvert_descriptor(culvert_socket socket) { return lws_get_socket_fd(socket); }

culvert_position culvert_received_position(culvert_socket socket) {
    culvert_position position = {
        .is_binary = lws_frame_is_binary(socket),
        .is_first = lws_is_first_fragment(socket),
        .is_final = lws_is_final_fragment(socket),
        .frame_remaining = lws_remaining_packet_payload(socket),
    };
    return position;
}

int culvert_read(culvert_loop_ref loop, culvert_socket socket, void **bytes) {
    SSL *tls = lws_get_ssl(socket);
    if (!tls) return -1;
    ERR_clear_error();
    int count = SSL_read(tls, loop->record, sizeof loop->record);
    *bytes = loop->record;
    if (count > 0) return count;
    int error = SSL_get_error(tls, count);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

bool culvert_has_unread(culvert_socket socket) {
    SSL *tls = lws_get_ssl(socket);
    return tls && SSL_has_pending(tls);
}

int culvert_respond(culvert_socket socket, uint8_t *response, size_t length) {
    return lws_write(socket, response, length, LWS_WRITE_HTTP_FINAL);
}

static const enum lws_token_indexes tokens[] = {
    [CULVERT_FIELD_GET_PATH] = WSI_TOKEN_GET_URI,
    [CULVERT_FIELD_QUERY] = WSI_TOKEN_HTTP_URI_ARGS,
    [CULVERT_FIELD_UPGRADE] = WSI_TOKEN_UPGRADE,
    [CULVERT_FIELD_PROTOCOL] = WSI_TOKEN_PROTOCOL,
    [CULVERT_FIELD_VERSION] = WSI_TOKEN_VERSION,
    [CULVERT_FIELD_HOST] = WSI_TOKEN_HOST,
    [CULVERT_FIELD_AUTHORIZATION] = WSI_TOKEN_HTTP_AUTHORIZATION,
    [CULVERT_FIELD_FORWARDED_FOR] = WSI_TOKEN_X_FORWARDED_FOR,
    [CULVERT_FIELD_USER_AGENT] = WSI_TOKEN_HTTP_USER_AGENT,
    [CULVERT_FIELD_CONTENT_LENGTH] = WSI_TOKEN_HTTP_CONTENT_LENGTH,
    [CULVERT_FIELD_TRANSFER_ENCODING] = WSI_TOKEN_HTTP_TRANSFER_ENCODING,
    [CULVERT_FIELD_RETRY_AFTER] = WSI_TOKEN_HTTP_RETRY_AFTER,
    [CULVERT_FIELD_LOCATION] = WSI_TOKEN_HTTP_LOCATION,
};

int culvert_copy_field(culvert_socket socket, culvert_field field, char *into, int room) {
    return lws_hdr_copy(socket, into, room, tokens[field]);
}

int culvert_copy_other_field(culvert_socket socket, const char *name, char *into, int room) {
    int length = lws_hdr_custom_length(socket, name, (int)strlen(name));
    if (length <= 0) return 0;
    return lws_hdr_custom_copy(socket, into, room, name, (int)strlen(name));
}

unsigned culvert_response_status(culvert_socket socket) {
    return lws_http_client_http_response(socket);
}
