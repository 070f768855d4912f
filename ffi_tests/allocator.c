/* D15. CN_ALLOC and CN_FREE: every handle and packet comes from them, with the context of its client or server,
 * and goes back to them. */
#include <stddef.h>

typedef struct counter_t
{
    long blocks; /* given and not taken back */
    long given;
} counter_t;

static void* counting_alloc(size_t size, void* ctx);
static void counting_free(void* memory, void* ctx);

#define CN_ALLOC(size, ctx) counting_alloc(size, ctx)
#define CN_FREE(memory, ctx) counting_free(memory, ctx)
#define CUTE_NET_IMPLEMENTATION
#include "check.h"

static counter_t nowhere; /* what NULL counts */
static int is_empty;      /* no memory is left */

/* Each block remembers its context: what comes back with another one is a failure. */
static void* counting_alloc(size_t size, void* ctx)
{
    counter_t* counter = ctx ? (counter_t*)ctx : &nowhere;
    void** block;
    if (is_empty) return NULL;
    block = (void**)malloc(size + 16);
    CHECK(block != NULL);
    block[0] = ctx;
    ++counter->blocks;
    ++counter->given;
    return (char*)block + 16;
}

static void counting_free(void* memory, void* ctx)
{
    counter_t* counter = ctx ? (counter_t*)ctx : &nowhere;
    void** block = (void**)(void*)((char*)memory - 16);
    CHECK(block[0] == ctx);
    --counter->blocks;
    free(block);
}

int main(void)
{
    session_t session;
    counter_t of_client = { 0, 0 }, of_server = { 0, 0 };
    cn_server_config_t config;
    cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, &of_client);
    cn_server_event_t event;
    void* kept = NULL;
    void* packet;
    int size, i;
    use_everything();
    CHECK(of_client.blocks == 1); /* the handle */
    memset(&session, 0, sizeof(session));
    cn_crypto_sign_keygen(&session.public_key, &session.secret_key);
    config = session_config(&session);
    config.user_allocator_context = &of_server;
    session_start_at(&session, cn_server_create(config), "127.0.0.1:0");
    CHECK(of_server.blocks == 1);
    session_connect(&session, client, 1);

    CHECK_OK(cn_client_send(client, "one", 4, true));
    CHECK_OK(cn_client_send(client, "two", 4, false));
    CHECK_OK(cn_server_send(session.server, "three", 6, 0, true));
    for (i = 0; i < 5; ++i) {
        cn_client_update(client, TICK, unix_now());
        cn_server_update(session.server, TICK, unix_now());
    }
    while (cn_server_pop_event(session.server, &event)) {
        CHECK(event.type == CN_SERVER_EVENT_TYPE_PAYLOAD_PACKET);
        if (kept) cn_server_free_packet(session.server, 0, event.u.payload_packet.data);
        else kept = event.u.payload_packet.data;
    }
    CHECK(kept && strcmp((const char*)kept, "one") == 0);
    CHECK(((size_t)kept & 15) == ((size_t)session.server & 15)); /* as aligned as the allocator's blocks */
    CHECK(of_server.given == 3 && of_server.blocks == 2);
    CHECK(cn_client_pop_packet(client, &packet, &size, NULL) && size == 6);
    CHECK(of_client.blocks == 2);
    cn_client_free_packet(client, packet);
    CHECK(of_client.blocks == 1);

    /* Without memory there are no new handles, and yet nothing is lost that was accepted. */
    CHECK_OK(cn_client_send(client, "four", 5, true));
    CHECK_OK(cn_server_send(session.server, "five", 5, 0, true));
    for (i = 0; i < 5; ++i) {
        cn_client_update(client, TICK, unix_now());
        cn_server_update(session.server, TICK, unix_now());
    }
    is_empty = 1;
    CHECK(cn_client_create(0, APPLICATION_ID, false, &of_client) == NULL);
    CHECK(cn_server_create(config) == NULL && cnx_server_create(config, 4) == NULL);
    CHECK(cn_client_pop_packet(client, &packet, &size, NULL) && size == 5 && strcmp((const char*)packet, "five") == 0);
    cn_client_free_packet(client, packet);
    CHECK(cn_server_pop_event(session.server, &event) && event.type == CN_SERVER_EVENT_TYPE_PAYLOAD_PACKET);
    CHECK(strcmp((const char*)event.u.payload_packet.data, "four") == 0);
    is_empty = 0;
    cn_server_free_packet(session.server, 0, event.u.payload_packet.data);
    CHECK(of_client.blocks == 1 && of_server.blocks == 2);

    /* A handle keeps what it was made with; those made from now on have something else. */
    cnx_set_allocator(NULL, NULL);
    cn_client_destroy(cn_client_create(0, APPLICATION_ID, false, &of_client));
    CHECK(of_client.given == 2);
    cn_client_destroy(client);
    cn_server_destroy(session.server);
    CHECK(of_client.blocks == 0 && of_server.blocks == 1);
    cn_server_free_packet(NULL, 0, kept);
    CHECK(of_server.blocks == 0 && nowhere.given == 0);
    return 0;
}
