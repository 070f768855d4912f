/*
 * In the manner of a binding for another language: it replaces every hook of the original, counts live blocks and
 * panics on a pointer that is none of them, has the sizes of tokens and structs as numbers of its own, tells errors
 * apart by how their texts begin, and updates both ends in one thread by a tenth of a second.
 */
#include <stddef.h>

static void* binding_alloc(size_t size);
static void binding_free(void* memory);
static void binding_assert(int condition);

#define CN_ALLOC(size, ctx) binding_alloc(size)
#define CN_FREE(mem, ctx) binding_free(mem)
#define CN_ASSERT(condition) binding_assert((condition) != 0)
#define CN_ASSERT_INTERNAL CN_ASSERT
#define CN_MEMCPY memcpy
#define CN_MEMSET memset
#define CN_MEMCMP memcmp
#define CN_STRNCPY strncpy
#define CN_STRLEN strlen
#define CN_SNPRINTF snprintf
#define CN_PRINTF printf
#define CN_FPRINTF fprintf
#define CUTE_NET_IMPLEMENTATION
#include "cute_net.h"
#include "check.h"

enum { MOST = 4096, TOKEN_BYTES = 1114 };

static void* live[MOST];
static int live_count = 0, blocks_given = 0;

static void* binding_alloc(size_t size)
{
    void* memory = malloc(size);
    CHECK(memory != NULL && live_count < MOST);
    live[live_count++] = memory;
    ++blocks_given;
    return memory;
}

static void binding_free(void* memory)
{
    int i;
    for (i = 0; i < live_count; ++i) {
        if (live[i] == memory) {
            live[i] = live[--live_count];
            free(memory);
            return;
        }
    }
    CHECK(!"a foreign pointer is freed");
}

static void binding_assert(int condition)
{
    CHECK(condition);
}

typedef enum outcome_t
{
    NO_ERROR,
    ENDPOINT_ERROR,
    INITIALIZATION_ERROR,
    EMPTY_PACKET_ERROR,
    NOT_CONNECTED_ERROR,
    OTHER_ERROR
} outcome_t;

static outcome_t outcome_of(cn_result_t result)
{
    static const char* const beginnings[] = { "", "Unable to initialize endpoint", "Unable to initializ",
        "Empty packets are no", "Client is not connected" };
    int i;
    if (result.code == 0) {
        CHECK(result.details == NULL);
        return NO_ERROR;
    }
    CHECK(result.code == -1 && result.details != NULL);
    for (i = 1; i < 5; ++i)
        if (strncmp(result.details, beginnings[i], strlen(beginnings[i])) == 0) return (outcome_t)i;
    return OTHER_ERROR;
}

static void play(void)
{
    static uint8_t token[TOKEN_BYTES + 8];
    session_t session;
    cn_client_t* client;
    cn_endpoint_t endpoint;
    cn_crypto_key_t up = cn_crypto_generate_key(), down = cn_crypto_generate_key();
    const char* addresses[1];
    int round, i, got = 0;

    CHECK(sizeof(cn_result_t) == 16 && sizeof(cn_endpoint_t) == 24 && sizeof(cn_server_config_t) == 136);
    CHECK(sizeof(cn_server_event_t) == 48 && sizeof(cn_crypto_signature_t) == 64 && sizeof(bool) == 1);
    CHECK(outcome_of(cn_init()) == NO_ERROR);
    session_start(&session);
    client = cn_client_create(0, APPLICATION_ID, false, NULL);
    CHECK(live_count == 2);

    addresses[0] = "not an address";
    CHECK(outcome_of(cn_generate_connect_token(APPLICATION_ID, 0, &up, &down, 10, 5, 1, addresses, 1, NULL,
        &session.secret_key, token)) == ENDPOINT_ERROR);
    CHECK(cn_endpoint_init(&endpoint, addresses[0]) == -1);
    addresses[0] = session.address;
    memset(token, 0xAB, sizeof(token));
    CHECK(outcome_of(cn_generate_connect_token(APPLICATION_ID, unix_now(), &up, &down, unix_now() + 10, 5, 1, addresses,
        1, NULL, &session.secret_key, token)) == NO_ERROR);
    for (i = TOKEN_BYTES; i < (int)sizeof(token); ++i) CHECK(token[i] == 0xAB);

    CHECK(outcome_of(cn_client_send(client, "x", 1, true)) == NOT_CONNECTED_ERROR);
    CHECK(outcome_of(cn_client_send(client, NULL, 0, true)) == EMPTY_PACKET_ERROR);
    CHECK(outcome_of(cn_server_send(session.server, NULL, 0, 0, false)) == EMPTY_PACKET_ERROR);
    CHECK(outcome_of(cn_client_connect(client, token)) == NO_ERROR);
    for (round = 0; round < 50; ++round) {
        void* packet = &session;
        int size = -1;
        cn_client_update(client, 0.1, unix_now());
        cn_server_update(session.server, 0.1, unix_now());
        session_pop(&session);
        if (cn_client_state_get(client) != CN_CLIENT_STATE_CONNECTED) continue;
        CHECK(outcome_of(cn_client_send(client, &round, (int)sizeof(round), round % 2 == 0)) == NO_ERROR);
        CHECK(outcome_of(cn_server_send(session.server, &round, (int)sizeof(round), 0, round % 2 == 0)) == NO_ERROR);
        while (cn_client_pop_packet(client, &packet, &size, NULL)) {
            ++got;
            cn_client_free_packet(client, packet);
        }
        CHECK(packet == NULL && size == 0);
    }
    CHECK(got >= 40 && session.packets >= 40);

    /* The end, with packets on their way and packets that nobody pops. */
    CHECK(outcome_of(cn_client_send(client, "unpopped", 9, true)) == NO_ERROR);
    CHECK(outcome_of(cn_server_send(session.server, "unpopped", 9, 0, false)) == NO_ERROR);
    cn_client_update(client, 0.1, unix_now());
    cn_server_update(session.server, 0.1, unix_now());
    cn_client_disconnect(client);
    cn_client_destroy(client);
    cn_server_stop(session.server);
    cn_server_destroy(session.server);
    CHECK(live_count == 0 && blocks_given > 80);
}

int main(void)
{
    use_everything();
    binding_assert(true);
    play();
    original_keys = true;
    blocks_given = 0;
    play();
    return 0;
}
