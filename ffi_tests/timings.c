/* When things happen, counted in updates at 60 a second: what programs of the original have come to rely on. */
#include "check.h"

static cn_client_t* new_client(void)
{
    return cn_client_create(0, APPLICATION_ID, false, NULL);
}

/* Connects to the addresses in turn. */
static void begin(cn_client_t* client, const session_t* session, int count, const char** addresses,
    uint32_t handshake_timeout)
{
    uint8_t token[CN_CONNECT_TOKEN_SIZE];
    cn_crypto_key_t up = cn_crypto_generate_key(), down = cn_crypto_generate_key();
    uint64_t now = unix_now() + tokens_made++;
    CHECK_OK(cn_generate_connect_token(APPLICATION_ID, now, &up, &down, now + 60, handshake_timeout, count, addresses,
        7, NULL, &session->secret_key, token));
    CHECK_OK(cn_client_connect(client, token));
    CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_SENDING_CONNECTION_REQUEST);
}

/* How many updates of a client alone, until it is in another state. */
static int updates_until_it_changes(cn_client_t* client, cn_client_state_t expected)
{
    cn_client_state_t before = cn_client_state_get(client);
    int updates = 0;
    while (cn_client_state_get(client) == before && updates < 2000) {
        cn_client_update(client, TICK, unix_now());
        ++updates;
    }
    CHECK(cn_client_state_get(client) == expected);
    return updates;
}

static void three_updates_connect_and_the_server_knows_after_its_second(void)
{
    session_t session;
    cn_client_t* client = new_client();
    cn_server_event_t event;
    const char* addresses[1];
    session_start(&session);
    addresses[0] = session.address;
    begin(client, &session, 1, addresses, 5);
    cn_client_update(client, TICK, unix_now());
    cn_server_update(session.server, TICK, unix_now());
    CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_SENDING_CONNECTION_REQUEST);
    CHECK(!cn_server_is_client_connected(session.server, 0) && !cn_server_pop_event(session.server, &event));
    cn_client_update(client, TICK, unix_now());
    CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_SENDING_CHALLENGE_RESPONSE);
    cn_server_update(session.server, TICK, unix_now());
    CHECK(cn_server_is_client_connected(session.server, 0));
    CHECK(cn_server_pop_event(session.server, &event) && event.type == CN_SERVER_EVENT_TYPE_NEW_CONNECTION);
    /* What is sent on the news arrives with the acceptance. */
    CHECK_OK(cn_server_send(session.server, "welcome", 8, 0, false));
    CHECK_OK(cn_server_send(session.server, "welcome", 8, 0, true));
    cn_client_update(client, TICK, unix_now());
    CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTED);
    cn_server_update(session.server, TICK, unix_now());
    cn_client_update(client, TICK, unix_now());
    CHECK(client_pop_all(client) == 2);
    cn_client_destroy(client);
    cn_server_destroy(session.server);
}

static void a_handshake_ends_after_its_timeout_for_each_server(void)
{
    static const char* silent[] = { "127.0.0.1:1", "127.0.0.1:2", NULL };
    session_t session;
    cn_client_t* client = new_client();
    int updates, i;
    session_start(&session);
    begin(client, &session, 1, silent, 5);
    updates = updates_until_it_changes(client, CN_CLIENT_STATE_CONNECTION_REQUEST_TIMED_OUT);
    CHECK(updates >= 300 && updates <= 302);
    begin(client, &session, 2, silent, 5);
    updates = updates_until_it_changes(client, CN_CLIENT_STATE_CONNECTION_REQUEST_TIMED_OUT);
    CHECK(updates >= 600 && updates <= 604);
    begin(client, &session, 1, silent, 0);
    CHECK(updates_until_it_changes(client, CN_CLIENT_STATE_CONNECTION_REQUEST_TIMED_OUT) == 1);

    /* The end stays what it was: updates and disconnects change nothing. */
    cn_client_disconnect(client);
    for (i = 0; i < 10; ++i) cn_client_update(client, TICK, unix_now());
    CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTION_REQUEST_TIMED_OUT);

    /* Two that are silent for two seconds each, then one that is not. */
    silent[2] = session.address;
    begin(client, &session, 3, silent, 2);
    for (updates = 0; updates < 1000 && cn_client_state_get(client) != CN_CLIENT_STATE_CONNECTED; ++updates)
        session_tick(&session, &client, 1, TICK);
    CHECK(updates >= 240 && updates <= 252);
    silent[2] = NULL;
    cn_client_destroy(client);
    cn_server_destroy(session.server);
}

static void silence_ends_a_connection_after_ten_seconds_on_both_ends(void)
{
    session_t session;
    cn_client_t* client = new_client();
    int updates;
    session_start(&session);
    session_connect(&session, client, 7);
    updates = updates_until_it_changes(client, CN_CLIENT_STATE_CONNECTION_TIMED_OUT);
    CHECK(updates >= 597 && updates <= 603);
    /* Ten seconds of the server's own, from what it heard last. It heard the client give up, if that said so. */
    cn_client_destroy(client);
    for (updates = 0; updates < 30; ++updates) session_tick(&session, NULL, 0, TICK); /* ten seconds of packets wait */
    CHECK(session.disconnected == 1);

    client = new_client();
    session_connect(&session, client, 7);
    for (updates = 0; updates < 2000 && session.disconnected == 1; ++updates) session_tick(&session, NULL, 0, TICK);
    CHECK(updates >= 597 && updates <= 603);
    CHECK(!cn_server_is_client_connected(session.server, 0));
    /* And the server said so, behind ten seconds of keepalives. */
    for (updates = 0; updates < 30; ++updates) cn_client_update(client, TICK, unix_now());
    CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_DISCONNECTED);
    cn_client_destroy(client);
    cn_server_destroy(session.server);
}

/* Idle for a minute, whatever the rate of updates: keepalives keep the connection. */
static void an_idle_connection_lives_at_any_rate_of_updates(void)
{
    static const double rates[] = { 1.0, 7.0, 10.0, 30.0, 144.0, 240.0 };
    session_t session;
    cn_client_t* client = new_client();
    size_t i;
    session_start(&session);
    session_connect(&session, client, 7);
    for (i = 0; i < sizeof(rates) / sizeof(rates[0]); ++i) {
        int tick;
        for (tick = 0; tick < 12 * (int)rates[i]; ++tick) session_tick(&session, &client, 1, 1.0 / rates[i]);
    }
    CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTED && session.disconnected == 0);
    cn_client_destroy(client);
    cn_server_destroy(session.server);
}

static void unreliable_packets_leave_in_the_call_and_reliable_ones_with_the_update(void)
{
    session_t session;
    cn_client_t* client = new_client();
    session_start(&session);
    session_connect(&session, client, 7);
    CHECK_OK(cn_client_send(client, "reliable", 9, true));
    cn_server_update(session.server, TICK, unix_now());
    session_pop(&session);
    CHECK(session.packets == 0);
    CHECK_OK(cn_client_send(client, "unreliable", 11, false));
    cn_server_update(session.server, TICK, unix_now());
    session_pop(&session);
    CHECK(session.packets >= 1);
    cn_client_update(client, TICK, unix_now());
    cn_server_update(session.server, TICK, unix_now());
    session_pop(&session);
    CHECK(session.packets == 2);

    CHECK_OK(cn_server_send(session.server, "reliable", 9, 0, true));
    cn_client_update(client, TICK, unix_now());
    CHECK(client_pop_all(client) == 0);
    cn_server_update(session.server, TICK, unix_now());
    CHECK_OK(cn_server_send(session.server, "unreliable", 11, 0, false));
    cn_client_update(client, TICK, unix_now());
    CHECK(client_pop_all(client) == 2);
    cn_client_destroy(client);
    cn_server_destroy(session.server);
}

static void ends_are_seen_by_the_next_update(void)
{
    session_t session;
    cn_client_t* client = new_client();
    cn_server_event_t event;
    session_start(&session);
    session_connect(&session, client, 7);
    cn_server_disconnect_client(session.server, 0, true);
    CHECK(!cn_server_is_client_connected(session.server, 0));
    CHECK(!cn_server_pop_event(session.server, &event)); /* the program knows already: the event comes with the update */
    cn_client_update(client, TICK, unix_now());
    CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_DISCONNECTED);
    cn_server_update(session.server, TICK, unix_now());
    CHECK(cn_server_pop_event(session.server, &event) && event.type == CN_SERVER_EVENT_TYPE_DISCONNECTED);
    CHECK(event.u.disconnected.client_index == 0 && !cn_server_pop_event(session.server, &event));

    session_connect(&session, client, 7);
    cn_client_disconnect(client);
    CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_DISCONNECTED);
    CHECK(cn_server_is_client_connected(session.server, 0));
    cn_server_update(session.server, TICK, unix_now());
    CHECK(!cn_server_is_client_connected(session.server, 0));
    CHECK(cn_server_pop_event(session.server, &event) && event.type == CN_SERVER_EVENT_TYPE_DISCONNECTED);
    cn_client_destroy(client);
    cn_server_destroy(session.server);
}

/* A client that wants a port that is taken says so, and stands where it stood. */
static void a_client_without_a_socket_changes_no_state(void)
{
    session_t session;
    cn_client_t* client;
    cn_endpoint_t taken;
    uint8_t token[CN_CONNECT_TOKEN_SIZE];
    session_start(&session);
    CHECK_OK(cnx_server_bound_endpoint(session.server, &taken));
    client = cn_client_create(taken.port, APPLICATION_ID, false, NULL);
    make_token(token, &session.secret_key, session.address, 7);
    CHECK_FAILS(cn_client_connect(client, token), "Unable to open socket.");
    CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_DISCONNECTED);
    cn_client_destroy(client);
    cn_server_destroy(session.server);
}

int main(void)
{
    int kind;
    use_everything();
    for (kind = 0; kind < 2; ++kind) {
        original_keys = kind == 1;
        three_updates_connect_and_the_server_knows_after_its_second();
        a_handshake_ends_after_its_timeout_for_each_server();
        silence_ends_a_connection_after_ten_seconds_on_both_ends();
        an_idle_connection_lives_at_any_rate_of_updates();
        unreliable_packets_leave_in_the_call_and_reliable_ones_with_the_update();
        ends_are_seen_by_the_next_update();
        a_client_without_a_socket_changes_no_state();
    }
    return 0;
}
