/* D12, D32: NULL, negative, huge and late arguments: a result or nothing, never a crash. */
#include "check.h"

static void expect_nothing(cn_server_t* server, cn_client_t* client)
{
    static const int indices[] = { -1, 5, 31, 32, 40, 5000, 2147483647, -2147483647 - 1 };
    cn_server_event_t event;
    void* packet;
    int size;
    size_t i;
    CHECK(!cn_server_pop_event(server, &event));
    CHECK(!cn_server_pop_event(server, NULL));
    for (i = 0; i < sizeof(indices) / sizeof(indices[0]); ++i) {
        uint8_t data[CN_CONNECT_TOKEN_USER_DATA_SIZE];
        CHECK(!cn_server_is_client_connected(server, indices[i]));
        cn_server_disconnect_client(server, indices[i], true);
        CHECK_FAILS(cn_server_send(server, "x", 1, indices[i], true), server ? "Client is not connected." : "`server`");
        CHECK(cn_server_get_rtt_estimate(server, indices[i]) == 0.0f);
        CHECK(cn_server_get_packet_loss_estimate(server, indices[i]) == 0.0f);
        CHECK(cn_server_get_incoming_kbps_estimate(server, indices[i]) == 0.0f);
        CHECK(cn_server_get_outgoing_kbps_estimate(server, indices[i]) == 0.0f);
        CHECK(cn_is_error(cnx_server_client_user_data(server, indices[i], data)));
        cn_server_free_packet(server, indices[i], NULL);
    }
    CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_DISCONNECTED);
    CHECK(!cn_client_pop_packet(client, &packet, &size, NULL));
    CHECK(!cn_client_pop_packet(client, NULL, NULL, NULL));
    CHECK_FAILS(cn_client_send(client, "x", 1, false), client ? "Client is not connected." : "`client`");
    CHECK_FAILS(cn_client_connect(client, NULL), client ? "Invalid connect token." : "`client`");
    cn_client_disconnect(client);
    cn_client_update(client, 1.0, 1);
    cn_client_free_packet(client, NULL);
    CHECK(cn_client_get_rtt_estimate(client) == 0.0f);
    CHECK(cn_client_get_packet_loss_estimate(client) == 0.0f);
    CHECK(cn_client_get_incoming_kbps_estimate(client) == 0.0f);
    CHECK(cn_client_get_outgoing_kbps_estimate(client) == 0.0f);
    cnx_client_flush(client);
    cnx_server_flush(server);
    cn_server_update(server, 1.0, 1);
}

static void play(void)
{
    session_t session;
    cn_client_t* client;
    static uint8_t large[20971521];
    double not_a_number = strtod("nan", NULL);
    double infinite = strtod("inf", NULL);
    int i;
    expect_nothing(NULL, NULL);
    cn_server_stop(NULL);
    cn_server_destroy(NULL);
    cn_client_destroy(NULL);
    cn_server_set_public_ip(NULL, NULL);
    cn_server_enable_network_simulator(NULL, 0, 0, 0, 0);
    cn_client_enable_network_simulator(NULL, 0, 0, 0, 0);
    CHECK_FAILS(cn_server_start(NULL, "127.0.0.1:0"), "`server` is NULL.");
    session.server = cnx_server_create(cn_server_config_defaults(), -5);
    CHECK(cnx_server_max_clients(session.server) == 1);
    cn_server_destroy(session.server);
    cn_crypto_random_bytes(NULL, 5);
    cn_crypto_random_bytes(large, 0);
    cn_crypto_random_bytes(large, -5);
    cn_crypto_sign_keygen(NULL, NULL);

    /* A server that was never started, and one that failed to. */
    session.server = cn_server_create(cn_server_config_defaults());
    client = cn_client_create(0, APPLICATION_ID, false, NULL);
    expect_nothing(session.server, client);
    CHECK_FAILS(cn_server_start(session.server, "127.0.0.1:0"), "The secret key");
    CHECK_FAILS(cn_server_start(session.server, "localhost:0"), "Unable to initialize endpoint.");
    CHECK_FAILS(cn_server_start(session.server, NULL), "Unable to initialize endpoint.");
    expect_nothing(session.server, client);
    cn_server_stop(session.server);
    cn_server_destroy(session.server);

    /* A connected pair, and what it refuses. */
    session_start(&session);
    session_connect(&session, client, 1);
    CHECK_FAILS(cn_client_send(client, "x", 0, true), "Empty packets are now allowed.");
    CHECK_FAILS(cn_client_send(client, "x", -1, false), "Empty packets are now allowed.");
    CHECK_FAILS(cn_client_send(client, NULL, 5, false), "`packet` is NULL.");
    CHECK_FAILS(cn_client_send(client, large, 20971521, true), "`size` exceeded `max_size_single_send`");
    CHECK_FAILS(cn_client_send(client, large, 20971521, false), "`size` exceeded `max_size_single_send` config param.");
    CHECK_FAILS(cn_server_send(session.server, NULL, 0, 0, true), "Empty packets are not allowed.");
    CHECK_FAILS(cn_server_send(session.server, large, 20971521, 0, true), "`size` exceeded `max_size_single_send`");
    for (i = 0; i < 3; ++i) {
        double steps[3];
        steps[0] = not_a_number; steps[1] = -1.0; steps[2] = -infinite;
        session_tick(&session, &client, 1, steps[i]);
        session_tick(&session, &client, 1, TICK);
    }
    cn_client_enable_network_simulator(client, not_a_number, -1.0, infinite, -infinite);
    cn_client_enable_network_simulator(client, 0, 0, 0, 0);
    CHECK_OK(cn_client_send(client, "still here", 11, true));
    for (i = 0; i < 10; ++i) session_tick(&session, &client, 1, TICK);
    CHECK(session.packets == 1);

    /* Late: the other end has gone. */
    cn_server_disconnect_client(session.server, 0, true);
    CHECK(!cn_server_is_client_connected(session.server, 0));
    CHECK_FAILS(cn_server_send(session.server, "x", 1, 0, true), "Client is not connected.");
    session_tick(&session, &client, 1, TICK);
    session_tick(&session, &client, 1, TICK);
    CHECK(session.disconnected == 1);
    expect_nothing(session.server, client);
    cn_server_stop(session.server);
    cn_server_stop(session.server);
    expect_nothing(session.server, client);
    cn_server_destroy(session.server);

    /* An endless step is a very long one: whoever said nothing during it is gone. */
    session_start(&session);
    session_connect(&session, client, 1);
    cn_client_update(client, infinite, unix_now());
    CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTION_TIMED_OUT);
    cn_server_update(session.server, infinite, unix_now());
    session_tick(&session, &client, 1, TICK);
    CHECK(session.disconnected == 1);
    session_connect(&session, client, 1);
    cn_server_destroy(session.server);
    cn_client_destroy(client);
}

int main(void)
{
    use_everything();
    play();
    original_keys = true;
    play();
    return 0;
}
