/* The surface of Cute Framework. */
#include "cute_networking.h"
#include "check.h"

#define CF_CHECK_OK(call) \
    do { \
        CF_Result cf_result = (call); \
        if (cf_is_error(cf_result)) { \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call, cf_result.details); \
            exit(1); \
        } \
    } while (0)

enum { PLAYERS = 3 };

typedef struct game_t
{
    CF_Server* server;
    CF_Client* clients[PLAYERS];
    int connected, packets;
} game_t;

static void game_tick(game_t* game)
{
    CF_ServerEvent event;
    int i;
    for (i = 0; i < PLAYERS; ++i) cf_client_update(game->clients[i], TICK, 0);
    cf_server_update(game->server, TICK, 0);
    while (cf_server_pop_event(game->server, &event)) {
        if (event.type == CF_SERVER_EVENT_TYPE_NEW_CONNECTION) ++game->connected;
        if (event.type == CF_SERVER_EVENT_TYPE_PAYLOAD_PACKET) {
            ++game->packets;
            cf_server_free_packet(game->server, event.u.payload_packet.client_index, event.u.payload_packet.data);
        }
    }
}

/* Keys, server and token as the development functions make them. */
static void game_start(game_t* game)
{
    cn_endpoint_t endpoint;
    char address[64];
    int i;
    memset(game, 0, sizeof(*game));
    game->server = cf_make_server_insecure(7);
    CF_CHECK_OK(cf_server_start(game->server, "127.0.0.1:0"));
    CHECK_OK(cnx_server_bound_endpoint(game->server, &endpoint));
    cf_address_to_string(endpoint, address, (int)sizeof(address));
    for (i = 0; i < PLAYERS; ++i) {
        game->clients[i] = cf_make_client(0, 7, false);
        CF_CHECK_OK(cf_client_connect_insecure(game->clients[i], address, 7));
    }
    for (i = 0; i < 10; ++i) game_tick(game);
    CHECK(game->connected == PLAYERS);
    for (i = 0; i < PLAYERS; ++i) {
        CHECK(cf_client_state(game->clients[i]) == CF_CLIENT_STATE_CONNECTED);
        CHECK(cf_client_state_get(game->clients[i]) == CF_CLIENT_STATE_CONNECTED);
    }
}

static void game_end(game_t* game)
{
    int i;
    for (i = 0; i < PLAYERS; ++i) cf_destroy_client(game->clients[i]);
    cf_destroy_server(game->server);
}

static void packets_and_statistics(void)
{
    game_t game;
    void* packet;
    int size, i, tick, got = 0;
    bool reliably;
    game_start(&game);
    for (tick = 0; tick < 120; ++tick) {
        for (i = 0; i < PLAYERS; ++i) CF_CHECK_OK(cf_client_send(game.clients[i], "up", 3, tick % 2 == 0));
        cf_server_send_to_all(game.server, "down", 5, true);
        CF_CHECK_OK(cf_server_send(game.server, "you", 4, 1, false));
        game_tick(&game);
    }
    for (i = 0; i < 10; ++i) game_tick(&game);
    CHECK(game.packets == 120 * PLAYERS);
    for (i = 0; i < PLAYERS; ++i) {
        int mine = 0;
        while (cf_client_pop_packet(game.clients[i], &packet, &size, &reliably)) {
            CHECK(reliably ? size == 5 && strcmp((char*)packet, "down") == 0 : size == 4);
            cf_client_free_packet(game.clients[i], packet);
            ++mine;
        }
        CHECK(mine == (i == 1 ? 240 : 120));
        got += mine;
        CHECK(cf_client_rtt(game.clients[i]) > 0 && cf_client_packet_loss(game.clients[i]) < 0.01f);
        CHECK(cf_client_incoming_kbps(game.clients[i]) > 1 && cf_client_outgoing_kbps(game.clients[i]) > 1);
        CHECK(cf_server_rtt(game.server, i) > 0 && cf_server_packet_loss(game.server, i) < 0.01f);
        CHECK(cf_server_incoming_kbps(game.server, i) > 1 && cf_server_outgoing_kbps(game.server, i) > 1);
    }
    CHECK(got == 480);
    cf_server_disconnect_client(game.server, 2, true);
    CHECK(!cf_server_is_client_connected(game.server, 2));
    cf_server_send_to_all(game.server, "rest", 5, true);
    game_tick(&game);
    CHECK(cf_client_state(game.clients[2]) == CF_CLIENT_STATE_DISCONNECTED);
    cf_server_stop(game.server);
    game_end(&game);
}

static void messages_on_channels(void)
{
    static char large[CF_NET_MAX_MSG_SIZE + 1];
    game_t game;
    CF_Client* client;
    void* data;
    uint32_t id, next[CF_NET_MAX_CHANNELS] = { 0 };
    int size, index, i, channel, ups = 0;
    game_start(&game);
    client = game.clients[1];
    for (channel = 0; channel < CF_NET_MAX_CHANNELS; ++channel) {
        cf_client_channel_options(client, channel, channel, channel % 2 == 0);
        cf_server_channel_options(game.server, channel, -channel, true);
    }
    cf_client_channel_options(client, -1, 0, true);
    cf_client_channel_options(client, 8, 0, true);
    CHECK(cf_is_error(cf_client_send_msg(client, 8, 1, "x", 1)));
    CHECK(cf_is_error(cf_client_send_msg(client, -1, 1, "x", 1)));
    CHECK(cf_is_error(cf_client_send_msg(client, 0, 1, "x", -1)));
    CHECK(cf_is_error(cf_client_send_msg(client, 0, 1, NULL, 1)));
    CHECK(cf_is_error(cf_client_send_msg(client, 0, 1, large, CF_NET_MAX_MSG_SIZE + 1)));
    CHECK(cf_is_error(cf_client_send_msg(NULL, 0, 1, "x", 1)));
    CHECK(cf_is_error(cf_server_send_msg(game.server, 31, 0, 1, "x", 1)));
    CF_CHECK_OK(cf_client_send_msg(client, 0, 0, NULL, 0));
    CF_CHECK_OK(cf_client_send_msg(client, 0, 1, large, CF_NET_MAX_MSG_SIZE));
    for (i = 0; i < 2; ++i) CF_CHECK_OK(cf_client_send_msg(client, 0, 2 + (uint32_t)i, large, CF_NET_MAX_MSG_SIZE));
    CHECK(cf_is_error(cf_client_send_msg(client, 0, 9, large, CF_NET_MAX_MSG_SIZE))); /* 4 MiB on a channel */
    for (channel = 1; channel < CF_NET_MAX_CHANNELS; ++channel) {
        for (i = 0; i < 10; ++i)
            CF_CHECK_OK(cf_client_send_msg(client, channel, (uint32_t)(1000 * channel + i), &i, (int)sizeof(i)));
    }
    for (i = 0; i < 10; ++i) CF_CHECK_OK(cf_server_send_msg(game.server, 1, 3, (uint32_t)i, "msg", 4));
    for (i = 0; i < 600 && ups < 4 + 70; ++i) {
        game_tick(&game);
        while (cf_server_pop_msg(game.server, &index, &id, &data, &size)) {
            CHECK(index == 1 && data != NULL);
            channel = (int)(id / 1000);
            CHECK(id % 1000 >= next[channel]);
            next[channel] = id % 1000 + 1;
            CHECK(channel ? size == (int)sizeof(int) : size == (id == 0 ? 0 : CF_NET_MAX_MSG_SIZE));
            cf_server_free_msg(game.server, data);
            ++ups;
        }
    }
    CHECK(ups == 4 + 70);
    for (i = 0; cf_client_pop_msg(client, &id, &data, &size); ++i) {
        CHECK(id == (uint32_t)i && size == 4 && strcmp((char*)data, "msg") == 0);
        cf_client_free_msg(client, data);
    }
    CHECK(i == 10);
    CHECK(!cf_client_pop_msg(game.clients[0], &id, &data, &size));
    CHECK(game.packets == 0);
    game_end(&game);
}

static void a_send_rate_holds_messages_back_and_packets_not(void)
{
    game_t game;
    char bytes[500];
    void* data;
    uint32_t id;
    int size, index, tick, ups = 0;
    memset(bytes, 1, sizeof(bytes));
    game_start(&game);
    cf_client_channel_options(game.clients[0], 0, 0, true);
    cf_client_set_send_rate(game.clients[0], 10000);
    cf_server_set_send_rate(game.server, -5);
    for (tick = 0; tick < 60; ++tick) {
        CF_CHECK_OK(cf_client_send_msg(game.clients[0], 0, 1, bytes, (int)sizeof(bytes)));
        CF_CHECK_OK(cf_client_send(game.clients[0], bytes, (int)sizeof(bytes), false));
        game_tick(&game);
        while (cf_server_pop_msg(game.server, &index, &id, &data, &size)) {
            cf_server_free_msg(game.server, data);
            ++ups;
        }
    }
    CHECK(game.packets >= 59);
    CHECK(ups >= 15 && ups <= 25); /* 10,000 bytes in a second */
    game_end(&game);
}

static void ticks_use_the_systems_clock(void)
{
    CF_Server* server = cf_make_server_insecure(7);
    CF_Client* client = cf_make_client(0, 7, false);
    cn_endpoint_t endpoint;
    char address[64];
    time_t start = time(NULL);
    CF_CHECK_OK(cf_server_start(server, "127.0.0.1:0"));
    CHECK_OK(cnx_server_bound_endpoint(server, &endpoint));
    cf_address_to_string(endpoint, address, (int)sizeof(address));
    CF_CHECK_OK(cf_client_connect_insecure(client, address, 7));
    while (cf_client_state(client) != CF_CLIENT_STATE_CONNECTED && time(NULL) < start + 5) {
        cf_client_tick(client);
        cf_server_tick(server);
    }
    CHECK(cf_client_state(client) == CF_CLIENT_STATE_CONNECTED);
    CHECK(cf_is_error(cf_client_connect_insecure(client, "nowhere", 7)));
    CHECK(cf_is_error(cf_client_web_wire(client, "wss://example.com")));
    cf_client_tick(NULL);
    cf_server_tick(NULL);
    cf_destroy_client(client);
    cf_destroy_server(server);
}

static void snapshots(void)
{
    static unsigned char baseline[4096], current[4096], packed[4200], out[4096];
    int i, size;
    for (i = 0; i < 4096; ++i) baseline[i] = (unsigned char)(i * 7);
    memcpy(current, baseline, sizeof(current));
    for (i = 0; i < 4096; i += 100) current[i] = (unsigned char)(current[i] + 1);
    size = cf_snapshot_compress(baseline, current, 4096, packed, (int)sizeof(packed));
    CHECK(size > 0 && size < 100);
    CHECK(cf_snapshot_decompress(baseline, 4096, packed, size, out) == 0);
    CHECK(memcmp(out, current, 4096) == 0);
    CHECK(cf_snapshot_compress(baseline, current, 4096, packed, size - 1) == -1);
    CHECK(cf_snapshot_compress(baseline, current, -1, packed, size) == -1);
    CHECK(cf_snapshot_compress(baseline, NULL, 4096, packed, size) == -1);
    CHECK(cf_snapshot_decompress(baseline, 4096, NULL, size, out) == -1);
    CHECK(cf_snapshot_decompress(baseline, 4096, packed, -1, out) == -1);
    size = cf_snapshot_compress(NULL, current, 4096, packed, (int)sizeof(packed));
    CHECK(size > 0 && cf_snapshot_decompress(NULL, 4096, packed, size, out) == 0);
    CHECK(memcmp(out, current, 4096) == 0);
    CHECK(cf_snapshot_compress(NULL, NULL, 0, packed, 10) >= 0);
}

static void names_and_layouts(void)
{
    CF_CryptoKey key = cf_crypto_generate_key();
    CF_Address address, same;
    CHECK(memcmp(key.key, key.bytes, 32) == 0);
    CHECK(sizeof(CF_CryptoSignSecret) == 64 && sizeof(CF_CryptoSignPublic) == 32);
    CHECK(sizeof(CF_ServerEvent) == sizeof(cn_server_event_t));
    CHECK(strcmp(cf_client_state_to_string(CF_CLIENT_STATE_CONNECTED), "CF_CLIENT_STATE_CONNECTED") == 0);
    CHECK(cf_client_state_to_string((CF_ClientState)77) == NULL);
    CHECK(strcmp(cf_server_event_type_to_string(CF_SERVER_EVENT_TYPE_DISCONNECTED),
        "CF_SERVER_EVENT_TYPE_DISCONNECTED") == 0);
    CHECK(strcmp(cf_address_type_to_string(CN_ADDRESS_TYPE_IPV6), "CF_ADDRESS_TYPE_IPV6") == 0);
    CHECK((int)CF_ADDRESS_TYPE_IPV4 == (int)CN_ADDRESS_TYPE_IPV4);
    CHECK(cf_address_init(&address, "127.0.0.1:5000") == 0 && cf_address_init(&same, "127.0.0.1:5000") == 0);
    CHECK(cf_address_equals(address, same) == 1);
    CHECK(cf_result_error("no").code == CF_RESULT_ERROR && cf_result_success().code == CF_RESULT_SUCCESS);
    CHECK(CF_CONNECT_TOKEN_SIZE == CN_CONNECT_TOKEN_SIZE && CF_SERVER_MAX_CLIENTS == 32);
    CHECK(cf_server_config_defaults().connection_timeout == 10);
    CHECK(cf_server_config_defaults().secret_key.bytes[63] == 0);
}

static void check_refused(CF_Result result, const char* beginning)
{
    CHECK(cf_is_error(result) && result.details != NULL);
    CHECK(strncmp(result.details, beginning, strlen(beginning)) == 0);
}

/* A player whose token was made with a pair of the original's kind, on a server that has both kinds. */
static void a_connection_of_1_00_has_packets_and_no_channels(void)
{
    static const char* const reason = "This connection speaks CUTE 1.00, which has no message channels";
    static const char* const no_sequence = "This connection speaks CUTE 1.00, where nothing says in which order";
    cn_crypto_sign_public_t public_key;
    cn_crypto_sign_secret_t secret_key;
    cn_crypto_key_t up = cn_crypto_generate_key(), down = cn_crypto_generate_key();
    uint8_t token[CN_CONNECT_TOKEN_SIZE];
    cnx_send_options_t options;
    cn_endpoint_t endpoint;
    char address[64];
    const char* addresses[1];
    CF_Client* client;
    game_t game;
    void* data;
    int i, size, got = 0;
    bool reliably;
    game_start(&game);
    cnx_crypto_sign_keygen_1_00(&public_key, &secret_key);
    CHECK_OK(cnx_server_add_key(game.server, &public_key, &secret_key));
    CHECK_OK(cnx_server_bound_endpoint(game.server, &endpoint));
    cf_address_to_string(endpoint, address, (int)sizeof(address));
    addresses[0] = address;
    CHECK_OK(cn_generate_connect_token(7, 0, &up, &down, 60, 5, 1, addresses, 100, NULL, &secret_key, token));
    cf_client_disconnect(game.clients[2]);
    for (i = 0; i < 3; ++i) game_tick(&game);
    client = game.clients[2];
    CF_CHECK_OK(cf_client_connect(client, token));
    for (i = 0; i < 10; ++i) game_tick(&game);
    CHECK(cf_client_state(client) == CF_CLIENT_STATE_CONNECTED);

    /* What has channels goes on as before; what has none says so, and nothing is queued. */
    cf_client_channel_options(client, 3, 5, true);
    cf_client_set_send_rate(client, 1000);
    check_refused(cf_client_send_msg(client, 3, 9, "no", 3), reason);
    check_refused(cf_client_send_msg(client, 0, 9, "no", 3), reason);
    check_refused(cf_server_send_msg(game.server, 2, 3, 9, "no", 3), reason);
    CF_CHECK_OK(cf_server_send_msg(game.server, 0, 3, 9, "yes", 4));
    memset(&options, 0, sizeof(options));
    options.size = (uint32_t)sizeof(options);
    options.channel = 1;
    CHECK_FAILS(cnx_client_send_with(client, "no", 3, &options), reason);
    CHECK_FAILS(cnx_server_send_with(game.server, "no", 3, 2, &options), reason);
    options.channel = 0;
    options.delivery = CNX_DELIVERY_UNRELIABLE_SEQUENCED;
    CHECK_FAILS(cnx_client_send_with(client, "no", 3, &options), no_sequence);
    CHECK_FAILS(cnx_server_send_with(game.server, "no", 3, 2, &options), no_sequence);
    options.delivery = CNX_DELIVERY_RELIABLE_UNORDERED;
    CHECK_OK(cnx_server_send_with(game.server, "packet", 7, 2, &options));
    CF_CHECK_OK(cf_client_send(client, "packet", 7, true));
    CF_CHECK_OK(cf_server_send(game.server, "packet", 7, 2, false));
    game.packets = 0;
    for (i = 0; i < 10; ++i) game_tick(&game);
    CHECK(game.packets == 1);
    while (cf_client_pop_packet(client, &data, &size, &reliably)) {
        CHECK(size == 7 && memcmp(data, "packet", 7) == 0);
        cf_client_free_packet(client, data);
        ++got;
    }
    CHECK(got == 2);
    CHECK(!cf_client_pop_msg(client, NULL, &data, &size));
    CHECK(cf_client_pop_msg(game.clients[0], NULL, &data, &size) && size == 4);
    cf_client_free_msg(game.clients[0], data);
    game_end(&game);
}

int main(void)
{
    use_everything();
    names_and_layouts();
    packets_and_statistics();
    messages_on_channels();
    a_connection_of_1_00_has_packets_and_no_channels();
    a_send_rate_holds_messages_back_and_packets_not();
    ticks_use_the_systems_clock();
    snapshots();
    return 0;
}
