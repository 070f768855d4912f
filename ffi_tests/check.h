/* What the C tests share: checks that say where they failed, and a server with clients in one process. */
#ifndef CHECK_H
#define CHECK_H

#include "cute_net.h"
#include "cute_net_x.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            exit(1); \
        } \
    } while (0)

#define CHECK_OK(call) \
    do { \
        cn_result_t check_result = (call); \
        if (cn_is_error(check_result)) { \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call, check_result.details); \
            exit(1); \
        } \
    } while (0)

/* The call fails, and its text begins as given. */
#define CHECK_FAILS(call, beginning) \
    do { \
        cn_result_t check_result = (call); \
        CHECK(cn_is_error(check_result)); \
        CHECK(check_result.details != NULL); \
        if (strncmp(check_result.details, beginning, strlen(beginning)) != 0) { \
            fprintf(stderr, "%s:%d: %s: \"%s\"\n", __FILE__, __LINE__, #call, check_result.details); \
            exit(1); \
        } \
    } while (0)

/* The same program over CUTE 1.00: the key pair decides. A client whose token is not good there is told so by
   CUTE 2.00 alone; on CUTE 1.00 it asks on. */
#ifdef CHECK_1_00
#    define cn_crypto_sign_keygen cnx_crypto_sign_keygen_1_00
#    define PROTOCOL "CUTE 1.00"
#    define STATE_REFUSED CN_CLIENT_STATE_SENDING_CONNECTION_REQUEST
#else
#    define PROTOCOL "CUTE 2.00"
#    define STATE_REFUSED CN_CLIENT_STATE_CONNECTION_DENIED
#endif

enum { APPLICATION_ID = 42 };
static const double TICK = 1.0 / 60.0;

static uint64_t unix_now(void)
{
    return (uint64_t)time(NULL);
}

static uint64_t tokens_made = 0;

/* A token for one server. Each is newer than the last: tests connect faster than a second's resolution. */
static void make_token(uint8_t* token, const cn_crypto_sign_secret_t* secret, const char* address, uint64_t client_id)
{
    cn_crypto_key_t up = cn_crypto_generate_key();
    cn_crypto_key_t down = cn_crypto_generate_key();
    uint64_t now = unix_now() + tokens_made++;
    CHECK_OK(cn_generate_connect_token(APPLICATION_ID, now, &up, &down, now + 60, 5, 1, &address, client_id,
        NULL, secret, token));
}

typedef struct session_t
{
    cn_crypto_sign_public_t public_key;
    cn_crypto_sign_secret_t secret_key;
    cn_server_t* server;
    char address[64];
    int connected; /* clients, by the events */
    int newest;    /* the slot of the last one */
    int disconnected;
    int packets;
    long bytes;
} session_t;

static cn_server_config_t session_config(const session_t* session)
{
    cn_server_config_t config = cn_server_config_defaults();
    config.application_id = APPLICATION_ID;
    config.public_key = session->public_key;
    config.secret_key = session->secret_key;
    return config;
}

/* Starts a server at a port that the system chooses. */
static void session_start_at(session_t* session, cn_server_t* server, const char* address)
{
    cn_endpoint_t endpoint;
    session->server = server;
    CHECK(server != NULL);
    CHECK_OK(cn_server_start(server, address));
    CHECK_OK(cnx_server_bound_endpoint(server, &endpoint));
    CHECK(endpoint.port != 0);
    cn_endpoint_to_string(endpoint, session->address, (int)sizeof(session->address));
}

/* Sessions have a key pair of the original's kind, and so speak CUTE 1.00: for tests that run twice. */
static bool original_keys = false;

static void session_keys(session_t* session)
{
    memset(session, 0, sizeof(*session));
    if (original_keys) cnx_crypto_sign_keygen_1_00(&session->public_key, &session->secret_key);
    else cn_crypto_sign_keygen(&session->public_key, &session->secret_key);
}

static void session_start(session_t* session)
{
    session_keys(session);
    session_start_at(session, cn_server_create(session_config(session)), "127.0.0.1:0");
}

static void session_pop(session_t* session)
{
    cn_server_event_t event;
    while (cn_server_pop_event(session->server, &event)) {
        switch (event.type) {
        case CN_SERVER_EVENT_TYPE_NEW_CONNECTION:
            ++session->connected;
            session->newest = event.u.new_connection.client_index;
            break;
        case CN_SERVER_EVENT_TYPE_DISCONNECTED: ++session->disconnected; break;
        case CN_SERVER_EVENT_TYPE_PAYLOAD_PACKET:
            ++session->packets;
            session->bytes += event.u.payload_packet.size;
            cn_server_free_packet(session->server, event.u.payload_packet.client_index, event.u.payload_packet.data);
            break;
        }
    }
}

static void session_tick(session_t* session, cn_client_t** clients, int count, double dt)
{
    int i;
    for (i = 0; i < count; ++i) cn_client_update(clients[i], dt, unix_now());
    cn_server_update(session->server, dt, unix_now());
    session_pop(session);
}

/* Connects a client; fails the test if that takes more than a hundred ticks. */
static void session_connect(session_t* session, cn_client_t* client, uint64_t client_id)
{
    uint8_t token[CN_CONNECT_TOKEN_SIZE];
    int i;
    make_token(token, &session->secret_key, session->address, client_id);
    CHECK_OK(cn_client_connect(client, token));
    CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_SENDING_CONNECTION_REQUEST);
    for (i = 0; i < 100 && cn_client_state_get(client) != CN_CLIENT_STATE_CONNECTED; ++i)
        session_tick(session, &client, 1, TICK);
    CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTED);
    session_tick(session, &client, 1, TICK);
}

static int client_pop_all(cn_client_t* client)
{
    void* packet;
    int size, count = 0;
    while (cn_client_pop_packet(client, &packet, &size, NULL)) {
        ++count;
        cn_client_free_packet(client, packet);
    }
    return count;
}

/* C has no [[maybe_unused]]: every test calls this. */
static void use_everything(void)
{
    (void)&session_start; (void)&session_connect; (void)&client_pop_all; (void)&make_token;
    (void)&session_pop; (void)&original_keys; (void)&session_start_at; (void)&TICK;
}

#endif
