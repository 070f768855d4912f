/* Programs in the manner of those that are known to use the original: what each of them does that others don't. */
#include "check.h"

/* --- A server of a game service, which is started at port 0 of every address, and makes its tokens itself. --- */

typedef struct player_t
{
    const char* name;
    bool kick;
    int joined;
} player_t;

static void a_service_learns_its_port_and_finds_players_by_pointer(void)
{
    session_t session;
    cn_endpoint_t bound;
    player_t players[3];
    player_t* at[32];
    cn_client_t* clients[3];
    char own[64], listed[64];
    void* kept = NULL;
    int i, tick, size, left = 0, packets = 0;
    memset(players, 0, sizeof(players));
    memset(at, 0, sizeof(at));
    players[2].kick = true;
    session_keys(&session);
    session.server = cn_server_create(session_config(&session));
    (void)cn_server_start(session.server, "0.0.0.0:0");
    CHECK_OK(cnx_server_bound_endpoint(session.server, &bound));
    CHECK(bound.port != 0);
    sprintf(own, "127.0.0.1:%d", bound.port);
    sprintf(listed, "0.0.0.0:%d", bound.port); /* beside the address that players use: the original wants it there */
    for (i = 0; i < 3; ++i) {
        uint8_t token[CN_CONNECT_TOKEN_SIZE];
        cn_crypto_key_t up = cn_crypto_generate_key(), down = cn_crypto_generate_key();
        const char* addresses[2];
        addresses[0] = own;
        addresses[1] = listed;
        CHECK_OK(cn_generate_connect_token(APPLICATION_ID, unix_now(), &up, &down, unix_now() + 60, 5, 2, addresses,
            (uint64_t)(size_t)&players[i], NULL, &session.secret_key, token));
        clients[i] = cn_client_create(0, APPLICATION_ID, false, NULL);
        CHECK_OK(cn_client_connect(clients[i], token));
        cn_client_update(clients[i], 3600.0, unix_now()); /* "since the last update", of which there was none */
    }
    for (tick = 0; tick < 60; ++tick) {
        cn_server_event_t event;
        cn_server_update(session.server, TICK, unix_now());
        while (cn_server_pop_event(session.server, &event)) {
            /* One member for all types: the index is first in each. */
            int index = event.u.disconnected.client_index;
            if (event.type == CN_SERVER_EVENT_TYPE_NEW_CONNECTION) {
                player_t* player = (player_t*)(size_t)event.u.new_connection.client_id;
                CHECK(player >= players && player < players + 3 && at[index] == NULL);
                ++player->joined;
                at[index] = player;
                if (player->kick) cn_server_disconnect_client(session.server, index, true);
            } else if (event.type == CN_SERVER_EVENT_TYPE_DISCONNECTED) {
                CHECK(at[index] && at[index]->kick);
                at[index] = NULL;
                ++left;
            } else {
                CHECK(at[index] && !at[index]->kick && event.u.payload_packet.size == 4400);
                cn_server_free_packet(session.server, index, event.u.payload_packet.data);
                ++packets;
                CHECK_OK(cn_server_send(session.server, "got it", 7, index, true));
            }
        }
        for (i = 0; i < 3; ++i) {
            cn_client_update(clients[i], TICK, unix_now());
            if (tick == 30 && !players[i].kick) {
                static const uint8_t message[4 * 1100] = { 1 };
                CHECK_OK(cn_client_send(clients[i], message, (int)sizeof(message), false));
            }
        }
        if (!kept && cn_client_pop_packet(clients[0], &kept, &size, NULL)) CHECK(size == 7);
    }
    CHECK(players[0].joined == 1 && players[1].joined == 1 && players[2].joined == 1 && left == 1 && packets == 2);
    CHECK(cn_client_state_get(clients[2]) == CN_CLIENT_STATE_DISCONNECTED);
    cn_client_disconnect(clients[0]);
    CHECK(kept && strcmp((const char*)kept, "got it") == 0); /* held over many updates, freed after the end */
    cn_client_free_packet(clients[0], kept);
    for (i = 0; i < 3; ++i) cn_client_destroy(clients[i]);
    cn_server_stop(session.server);
    cn_server_destroy(session.server);
}

/* --- A wrapper with an event struct of its own, which it hands over in the place of ours. --- */

enum { WRAPPER_MAX_CLIENTS = 32 };

typedef struct wrapper_event_t
{
    int type;
    union
    {
        struct { int client_index; uint64_t client_id; cn_endpoint_t endpoint; } new_connection;
        struct { int client_index; } disconnected;
        struct { int client_index; void* data; int size; } payload_packet;
    } u;
} wrapper_event_t;

typedef struct wrapper_key_t { uint8_t bytes[32]; } wrapper_key_t;

typedef char wrapper_sizes_are_equal[sizeof(wrapper_event_t) == sizeof(cn_server_event_t)
    && sizeof(wrapper_key_t) == sizeof(cn_crypto_key_t) && WRAPPER_MAX_CLIENTS == CN_SERVER_MAX_CLIENTS ? 1 : -1];

static bool wrapper_pop_event(cn_server_t* server, wrapper_event_t* event)
{
    return cn_server_pop_event(server, (cn_server_event_t*)(void*)event);
}

static void a_wrapper_casts_its_own_structs(void)
{
    session_t session;
    cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, NULL);
    wrapper_event_t event;
    wrapper_key_t up, down;
    uint8_t token[CN_CONNECT_TOKEN_SIZE];
    const char* addresses[1];
    char from[64];
    int i, connected = 0;
    session_start(&session);
    addresses[0] = session.address;
    cn_crypto_random_bytes(&up, (int)sizeof(up));
    cn_crypto_random_bytes(&down, (int)sizeof(down));
    CHECK_OK(cn_generate_connect_token(APPLICATION_ID, unix_now(), (const cn_crypto_key_t*)(const void*)&up,
        (const cn_crypto_key_t*)(const void*)&down, unix_now() + 60, 5, 1, addresses, 0xFEDCBA9876543210u, NULL,
        &session.secret_key, token));
    CHECK_OK(cn_client_connect(client, token));
    for (i = 0; i < 3; ++i) {
        cn_client_update(client, TICK, unix_now());
        cn_server_update(session.server, TICK, unix_now());
    }
    CHECK_OK(cn_client_send(client, "wrapped", 8, false));
    cn_server_update(session.server, TICK, unix_now());
    CHECK(wrapper_pop_event(session.server, &event) && event.type == 0);
    CHECK(event.u.new_connection.client_index == 0 && event.u.new_connection.client_id == 0xFEDCBA9876543210u);
    cn_endpoint_to_string(event.u.new_connection.endpoint, from, (int)sizeof(from));
    CHECK(strncmp(from, "127.0.0.1:", 10) == 0);
    CHECK(wrapper_pop_event(session.server, &event) && event.type == 2);
    CHECK(event.u.payload_packet.size == 8 && strcmp((const char*)event.u.payload_packet.data, "wrapped") == 0);
    cn_server_free_packet(session.server, event.u.payload_packet.client_index, event.u.payload_packet.data);
    CHECK(!wrapper_pop_event(session.server, &event));
    for (i = 0; i < WRAPPER_MAX_CLIENTS; ++i) connected += cn_server_is_client_connected(session.server, i);
    CHECK(connected == 1);
    cn_client_destroy(client);
    cn_server_update(session.server, TICK, unix_now());
    CHECK(wrapper_pop_event(session.server, &event) && event.type == 1 && event.u.disconnected.client_index == 0);
    cn_server_destroy(session.server);
}

/* --- A word game: its client makes its own token with a secret that is written into it, says nothing for long and
 * "sends nothing" every second, for acknowledgements; its server tells everybody everything, reliably. --- */

static void a_quiet_client_follows_a_game(void)
{
    static session_t session;
    static cn_client_t* client;
    static char board[3000];
    int tick, told = 0, seen = 0, i;
    client = cn_client_create(0, APPLICATION_ID, false, NULL);
    session_start(&session);
    session_connect(&session, client, 5); /* which makes the token */
    for (tick = 0; tick < 60 * 90; ++tick) {
        void* packet;
        int size;
        if (tick % 60 == 0) {
            cn_result_t nothing = cn_client_send(client, NULL, 0, false);
            CHECK(cn_is_error(nothing) && nothing.details != NULL);
            memset(board, told, sizeof(board));
            for (i = 0; i < CN_SERVER_MAX_CLIENTS; ++i)
                if (cn_server_is_client_connected(session.server, i))
                    CHECK_OK(cn_server_send(session.server, board, (int)sizeof(board), i, true));
            ++told;
        }
        session_tick(&session, &client, 1, TICK);
        while (cn_client_pop_packet(client, &packet, &size, NULL)) {
            CHECK(size == (int)sizeof(board) && *(char*)packet == (char)seen);
            ++seen;
            cn_client_free_packet(client, packet);
        }
    }
    CHECK(seen == told && told == 90 && session.disconnected == 0);
    /* It ends as it is: nobody disconnects, stops or destroys anything. */
    if (original_keys) exit(0);
    cn_client_destroy(client);
    cn_server_destroy(session.server);
}

int main(void)
{
    int kind;
    use_everything();
    for (kind = 0; kind < 2; ++kind) {
        original_keys = kind == 1;
        a_service_learns_its_port_and_finds_players_by_pointer();
        a_wrapper_casts_its_own_structs();
        a_quiet_client_follows_a_game();
    }
    return 1; /* the last game has left the program */
}
