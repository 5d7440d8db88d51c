// What Swift cannot reach of libwebsockets 4.1 and OpenSSL: macros, structs full of unions,
// variadics and <uv.h>. Nothing of those headers shows here, and no policy lives here beyond the
// guards that keep libwebsockets' unsafe paths shut. See loop.c, socket.c and tls.c.
#ifndef CULVERT_CLIBWEBSOCKETS_H
#define CULVERT_CLIBWEBSOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct lws *culvert_socket;            // one connection, as libwebsockets sees it
typedef struct culvert_loop *culvert_loop_ref; // one lws context and its event loop
typedef struct culvert_identities *culvert_identities_ref; // server certificates with keys
typedef struct x509_store_st *culvert_trust_ref;           // certificates a client believes

enum {
    CULVERT_WRITE_PREFIX = 16,   // bytes culvert_write needs in front of the payload (LWS_PRE)
    CULVERT_LONGEST_MESSAGE = 65535, // what culvert_write takes
    CULVERT_READ_BUFFER = 65536, // below 16,384 a paused reader can spin the thread for ever
};

// What happens on a connection; all on the thread that turns the loop.
typedef enum {
    CULVERT_UPGRADE_ASKED,   // server: 0 accepts, -1 drops (answer first with culvert_respond)
    CULVERT_ANSWER_RECEIVED, // client: a 101 came; 0 accepts, -1 drops
    CULVERT_APPEND_HEADERS,  // client: bytes = char **position, length = room there
    CULVERT_OPENED,
    CULVERT_RECEIVED,        // bytes, length: a piece of a message
    CULVERT_WRITABLE,
    CULVERT_PEER_CLOSED,     // bytes, length: the close frame's payload
    CULVERT_CONNECT_FAILED,  // client: bytes, length: libwebsockets' own words
    CULVERT_CLOSED,
    CULVERT_DESTROYED,       // the culvert_socket is invalid after this
} culvert_event;

typedef int (*culvert_on_event)(void *owner, culvert_socket socket, uintptr_t id,
                                culvert_event event, void *bytes, size_t length);

typedef struct {
    bool initialises_tls;         // exactly one loop of the process
    bool accepts;                 // whether culvert_adopt will be used
    unsigned maximum_connections; // beyond it adoption and connecting fail
    unsigned timeout_seconds;     // each step of a handshake; also the linger after a close
    unsigned short ping_seconds;  // without word from the peer until a ping is sent
    unsigned short hangup_seconds; // and until the connection is given up
    const char *subprotocol;      // copied
    void *owner;                  // handed to on_event
    culvert_on_event on_event;
} culvert_loop_options;

// --- loop.c ---
void culvert_log_to(void (*emit)(int level, const char *line)); // process-wide
culvert_loop_ref culvert_loop_create(const culvert_loop_options *options);
enum {
    CULVERT_SERVICE = 0,         // no connection's id: libwebsockets itself has something to do
    CULVERT_READY_AT_ONCE = 64,
};
// Waits for at most so long (-1: without limit) and stores who is ready: CULVERT_SERVICE, or the id of
// a connection that culvert_read may have something of. Their number; none when it was woken. The
// only call, but for culvert_loop_wake, that may go on beside others of the same loop.
int culvert_loop_wait(culvert_loop_ref loop, int milliseconds, uintptr_t *ready, int room);
void culvert_loop_wake(culvert_loop_ref loop); // any thread: ends a wait
void culvert_loop_service(culvert_loop_ref loop); // runs what libwebsockets has to do; does not wait
// Whether it has something to do, or to tell the kernel, before the next wait.
bool culvert_loop_wants_service(culvert_loop_ref loop);
// Milliseconds until it will have; -1: nothing is planned.
int culvert_loop_patience(culvert_loop_ref loop);
// Has lws look at its sockets and timers in the next service, after calls that it was not part of.
void culvert_loop_service_again(culvert_loop_ref loop);
// The context stays allocated: destroying it closes a file descriptor number twice, which by then can
// be somebody else's.
void culvert_loop_destroy(culvert_loop_ref loop);

// --- socket.c ---
// The descriptor belongs to the loop from here on, also on NULL.
culvert_socket culvert_adopt(culvert_loop_ref loop, int descriptor, uintptr_t id);
typedef struct {
    const char *host; // the Host field; up to its ":" it is verified and sent as SNI (127 bytes)
    const char *path; // with the query
    culvert_trust_ref trust;
} culvert_target;
// As culvert_adopt, but over a connected TCP socket and as the client.
culvert_socket culvert_connect(culvert_loop_ref loop, int descriptor, const culvert_target *target,
                               uintptr_t id);
// `message` has CULVERT_WRITE_PREFIX bytes of room in front; a client's payload is overwritten by
// its masked form. Negative: the connection is lost. Never while culvert_has_unwritten.
int culvert_write(culvert_socket socket, uint8_t *message, size_t length);
bool culvert_has_unwritten(culvert_socket socket); // the kernel took a part of what was written
bool culvert_choked(culvert_socket socket); // that, or no room in the socket: a system call
void culvert_ask_writable(culvert_socket socket);
void culvert_set_reading(culvert_socket socket, bool reading);
void culvert_pong(culvert_socket socket, const void *payload, size_t length); // 125 bytes at most
// Never inside one of the socket's own events: frees the socket at once or soon.
void culvert_close(culvert_socket socket, uint16_t code, const char *reason, size_t length);
void culvert_abort(culvert_socket socket);
// Inside CULVERT_RECEIVED, before returning -1: the close frame to send.
void culvert_set_close_reason(culvert_socket socket, uint16_t code, const char *reason,
                              size_t length);
void culvert_confirm_alive(culvert_socket socket);
int culvert_descriptor(culvert_socket socket);

typedef struct {
    bool is_binary;
    bool is_first; // the piece belongs to the message's first frame
    bool is_final; // the piece ends the message
    size_t frame_remaining; // bytes of this frame still to come
} culvert_position;
culvert_position culvert_received_position(culvert_socket socket);

// Takes reading away from lws, whose client looks at every byte by itself (80 instructions for each,
// more than nine tenths of a connector's work in an upload), and whose server takes unmasked frames.
// From here on culvert_loop_wait says when there is something, and whoever reads parses the WebSocket
// frames. Only when lws has consumed all it has read, up to the end of a frame. False: no memory, or
// OpenSSL still holds something; all stays as it was.
bool culvert_read_directly(culvert_loop_ref loop, culvert_socket socket, uintptr_t id);
void culvert_stop_reading(culvert_loop_ref loop, culvert_socket socket);
// What has come, of one TLS record at most, to be changed at will; valid until the next call. 0: nothing
// now, -1: the end.
int culvert_read(culvert_loop_ref loop, culvert_socket socket, void **bytes);
// OpenSSL holds bytes of the next record, which no wait knows of.
bool culvert_has_unread(culvert_socket socket);

// Answers an upgrade that is being refused; `response` has room in front as for culvert_write.
int culvert_respond(culvert_socket socket, uint8_t *response, size_t length);
typedef enum {
    CULVERT_FIELD_GET_PATH, CULVERT_FIELD_QUERY, CULVERT_FIELD_UPGRADE, CULVERT_FIELD_PROTOCOL,
    CULVERT_FIELD_VERSION, CULVERT_FIELD_HOST, CULVERT_FIELD_AUTHORIZATION,
    CULVERT_FIELD_FORWARDED_FOR, CULVERT_FIELD_USER_AGENT, CULVERT_FIELD_CONTENT_LENGTH,
    CULVERT_FIELD_TRANSFER_ENCODING, CULVERT_FIELD_RETRY_AFTER, CULVERT_FIELD_LOCATION,
} culvert_field;
// The length copied, 0 when absent, -1 when there is no room.
int culvert_copy_field(culvert_socket socket, culvert_field field, char *into, int room);
// For fields libwebsockets has no number for; `name` in lower case with its colon.
int culvert_copy_other_field(culvert_socket socket, const char *name, char *into, int room);
unsigned culvert_response_status(culvert_socket socket);

typedef struct {
    uint32_t round_trip_microseconds;
    uint32_t round_trip_minimum_microseconds;
    uint32_t unacknowledged_segments;
    uint32_t retransmitted_segments;
    uint32_t unsent_bytes;
    uint64_t delivery_bytes_per_second;
} culvert_tcp_statistics;
bool culvert_read_tcp_statistics(int descriptor, culvert_tcp_statistics *into);

// --- tls.c ---
// NULL: `error` (of `room` bytes) says why, without the file's name.
culvert_trust_ref culvert_trust_create(bool with_system_roots, const char *extra_pem_file,
                                       char *error, size_t room);
// Adds the certificates of a PEM text; false as NULL above.
bool culvert_trust_add(culvert_trust_ref trust, const char *pem, size_t length, char *error,
                       size_t room);
void culvert_trust_release(culvert_trust_ref trust);
culvert_identities_ref culvert_identities_create(void);
// True on success. Adds a chain (leaf first) and its key, which have to belong together.
bool culvert_identities_add(culvert_identities_ref identities, const char *chain_pem_file,
                            const char *key_pem_file, char *error, size_t room);
void culvert_identities_free(culvert_identities_ref identities);
// The loop's thread only; `identities` must outlive its use. Live connections keep theirs.
void culvert_loop_use_identities(culvert_loop_ref loop, culvert_identities_ref identities);

typedef struct {
    long verify_code; // X509_V_ERR_…, 0 when no certificate was refused
    int depth;        // 0: the server's own certificate
    char reason[128];
    char subject[256];
    char alert[96]; // the TLS alert that was received or sent last; may be empty
} culvert_tls_failure;
// What went wrong in the last TLS handshake of this loop; forgets it.
culvert_tls_failure culvert_take_tls_failure(culvert_loop_ref loop);
bool culvert_tls_established(culvert_socket socket);

#endif
