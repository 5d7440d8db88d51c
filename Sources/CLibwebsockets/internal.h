#ifndef CULVERT_INTERNAL_H
#define CULVERT_INTERNAL_H

#include "CLibwebsockets.h"
#include <libwebsockets.h>
#include <openssl/ssl.h>
#include <uv.h>

struct culvert_loop {
    culvert_loop_options options;
    char subprotocol[64];
    struct lws_context *context;
    struct lws_vhost *server;
    struct lws_vhost *client;
    lws_retry_bo_t idle;

    uv_loop_t uv;
    void *foreign_loops[1];
    int epoll; // libuv's loop, the bell, and the sockets that are read directly
    int bell;

    uint8_t record[CULVERT_READ_BUFFER]; // what culvert_read has read last
    uint32_t masks[256]; // random, used from the end
    size_t masks_left;

    int handover_descriptor; // the socket culvert_connect is about to put in place, or -1
    int handover_listener;

    SSL_CTX *client_tls;
    X509_STORE *handover_trust;
    culvert_identities_ref identities;
    culvert_tls_failure failure;
};

culvert_loop_ref culvert_loop_of(struct lws *wsi);

bool culvert_client_tls_create(culvert_loop_ref loop);
int culvert_server_tls_prepare(culvert_loop_ref loop, SSL_CTX *tls);
int culvert_take_over_descriptor(culvert_loop_ref loop, struct lws *wsi);

#endif
