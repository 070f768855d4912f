/* Connecting again, freeing late, stopping early: the original's defects of life cycle, by id. On both protocols. */
#include "check.h"

#ifdef __linux__
#include <dirent.h>
static int open_descriptors(void)
{
    int count = 0;
    DIR* directory = opendir("/proc/self/fd");
    while (readdir(directory)) ++count;
    closedir(directory);
    return count;
}
#else
static int open_descriptors(void) { return 0; }
#endif

static int exchange(session_t* session, cn_client_t* client)
{
    int before = session->packets, i, got = 0;
    for (i = 0; i < 20; ++i) {
        CHECK_OK(cn_client_send(client, &i, (int)sizeof(i), true));
        CHECK_OK(cn_server_send(session->server, &i, (int)sizeof(i), session->newest, true));
    }
    for (i = 0; i < 20; ++i) {
        session_tick(session, &client, 1, TICK);
        got += client_pop_all(client);
    }
    CHECK(session->packets - before == 20);
    return got;
}

/* The same client object, twenty times, however the connection before ended. */
static void d36_d37_d38_reconnecting_works_every_time(void)
{
    session_t session;
    cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, NULL);
    uint8_t token[CN_CONNECT_TOKEN_SIZE];
    int i, round, descriptors;
    session_start(&session);
    descriptors = open_descriptors();
    for (round = 0; round < 20; ++round) {
        session_connect(&session, client, 7);
        CHECK(exchange(&session, client) == 20);
        switch (round % 5) {
        case 0: cn_client_disconnect(client); break;
        case 1: cn_server_disconnect_client(session.server, 0, true); break;
        case 2: /* Nobody is told: the client times out, or notices that it is unknown. */
            cn_server_disconnect_client(session.server, 0, false);
            for (i = 0; i < 700 && cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTED; ++i)
                session_tick(&session, &client, 1, TICK);
            CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTION_TIMED_OUT);
            break;
        case 3: /* A token that no server takes. */
            cn_client_disconnect(client);
            make_token(token, &session.secret_key, "127.0.0.1:1", 7);
            CHECK_OK(cn_client_connect(client, token));
            for (i = 0; i < 400 && cn_client_state_get(client) > 0; ++i) session_tick(&session, &client, 1, TICK);
            CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTION_REQUEST_TIMED_OUT);
            break;
        default: break; /* still connected */
        }
        for (i = 0; i < 3; ++i) session_tick(&session, &client, 1, TICK);
    }
    CHECK(open_descriptors() <= descriptors + 1);
    cn_client_destroy(client);
    CHECK(open_descriptors() <= descriptors);
    cn_server_destroy(session.server);
}

static void d40_what_was_received_before_a_disconnect_can_be_popped_after_it(void)
{
    session_t session;
    cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, NULL);
    cn_server_event_t event;
    void* packet;
    int size, i;
    session_start(&session);
    session_connect(&session, client, 1);
    for (i = 0; i < 3; ++i) CHECK_OK(cn_client_send(client, "bye", 4, true));
    CHECK_OK(cn_client_send(client, "bye", 4, false));
    cn_client_disconnect(client);
    cn_server_update(session.server, TICK, unix_now());
    for (i = 0; i < 4; ++i) {
        CHECK(cn_server_pop_event(session.server, &event));
        CHECK(event.type == CN_SERVER_EVENT_TYPE_PAYLOAD_PACKET);
        CHECK(strcmp((const char*)event.u.payload_packet.data, "bye") == 0);
        cn_server_free_packet(session.server, event.u.payload_packet.client_index, event.u.payload_packet.data);
    }
    CHECK(cn_server_pop_event(session.server, &event) && event.type == CN_SERVER_EVENT_TYPE_DISCONNECTED);
    CHECK(!cn_server_pop_event(session.server, &event));

    session_connect(&session, client, 1);
    CHECK_OK(cn_server_send(session.server, "kicked because", 15, 0, true));
    cn_server_disconnect_client(session.server, 0, true);
    cn_client_update(client, TICK, unix_now());
    CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_DISCONNECTED);
    CHECK(cn_client_pop_packet(client, &packet, &size, NULL));
    CHECK(size == 15 && strcmp((const char*)packet, "kicked because") == 0);
    CHECK(!cn_client_pop_packet(client, &packet, &size, NULL));
    cn_client_destroy(client);
    cn_client_free_packet(NULL, packet); /* after the client is gone */
    cn_server_destroy(session.server);
}

static void d41_a_packet_can_be_freed_at_any_time(void)
{
    session_t session;
    cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, NULL);
    cn_client_t* next = cn_client_create(0, APPLICATION_ID, false, NULL);
    cn_server_event_t event;
    void* packets[4];
    int i, count = 0;
    session_start(&session);
    session_connect(&session, client, 1);
    for (i = 0; i < 4; ++i) CHECK_OK(cn_client_send(client, "payload", 8, true));
    cn_client_update(client, TICK, unix_now());
    cn_server_update(session.server, TICK, unix_now());
    while (cn_server_pop_event(session.server, &event)) {
        CHECK(event.type == CN_SERVER_EVENT_TYPE_PAYLOAD_PACKET);
        packets[count++] = event.u.payload_packet.data;
        if (count == 1) cn_server_disconnect_client(session.server, 0, true); /* kick inside the loop */
    }
    CHECK(count == 4);
    cn_server_free_packet(session.server, 0, packets[0]); /* after its client was kicked */
    session_tick(&session, &client, 1, TICK);
    CHECK(session.disconnected == 1);
    session_connect(&session, next, 2);
    cn_server_free_packet(session.server, 0, packets[1]); /* after its slot was reused */
    cn_server_stop(session.server);
    cn_server_free_packet(session.server, 0, packets[2]);
    cn_server_destroy(session.server);
    cn_server_free_packet(NULL, 0, packets[3]);
    cn_client_destroy(client);
    cn_client_destroy(next);
}

static void d42_nothing_leaks_and_a_second_start_is_an_error(void)
{
    session_t session;
    cn_client_t* clients[10];
    cn_server_t* second;
    int i, descriptors = open_descriptors();
    session_start(&session);
    for (i = 0; i < 10; ++i) {
        clients[i] = cn_client_create(0, APPLICATION_ID, false, NULL);
        session_connect(&session, clients[i], (uint64_t)i);
        cn_client_enable_network_simulator(clients[i], 0.01, 0, 0, 0);
        cn_client_enable_network_simulator(clients[i], 0, 0, 0, 0);
        CHECK_OK(cn_client_send(clients[i], "unpopped", 9, true));
    }
    for (i = 0; i < 10; ++i) {
        CHECK_FAILS(cn_server_start(session.server, session.address), "The server runs already");
        CHECK_FAILS(cn_server_start(session.server, "127.0.0.1:0"), "The server runs already");
    }
    second = cn_server_create(session_config(&session));
    CHECK_FAILS(cn_server_start(second, session.address), "Unable to open socket.");
    cn_server_destroy(second);
    for (i = 0; i < 10; ++i) cn_client_update(clients[i], TICK, unix_now());
    cn_server_update(session.server, TICK, unix_now()); /* ten packets nobody pops */
    for (i = 0; i < 10; ++i) cn_client_destroy(clients[i]); /* without disconnect: it does that itself */
    for (i = 0; i < 30; ++i) session_tick(&session, NULL, 0, TICK); /* on a slow machine one does not read them all */
    CHECK(session.disconnected == 10);
    cn_server_destroy(session.server);
    CHECK(open_descriptors() == descriptors);
}

static void d43_a_failed_start_says_why_and_leaves_the_server_usable(void)
{
    session_t session, other;
    session_start(&session);
    session_start(&other);
    cn_server_stop(other.server);
    CHECK_FAILS(cn_server_start(other.server, session.address), "Unable to open socket. 127.0.0.1:");
    cn_server_update(other.server, TICK, unix_now());
    CHECK_OK(cn_server_start(other.server, "127.0.0.1:0"));
    cn_server_destroy(other.server);
    cn_server_destroy(session.server);
}

static void d44_stopping_tells_the_clients_and_keeps_the_events(void)
{
    session_t session;
    cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, NULL);
    session_start(&session);
    session_connect(&session, client, 1);
    CHECK_OK(cn_client_send(client, "last", 5, false));
    cn_server_update(session.server, TICK, unix_now());
    cn_server_stop(session.server);
    cn_client_update(client, TICK, unix_now());
    CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_DISCONNECTED);
    session_pop(&session);
    CHECK(session.packets == 1 && session.disconnected == 1);

    /* And again, on the same port. */
    CHECK_OK(cn_server_start(session.server, session.address));
    session_connect(&session, client, 1);
    cn_client_destroy(client);
    cn_server_destroy(session.server);
}

static void d45_a_wildcard_server_takes_tokens_for_the_address_that_was_reached(void)
{
    static const char* const wildcards[] = { "0.0.0.0:0", "[::]:0" };
    static const char* const reached[] = { "127.0.0.1", "[::1]" };
    int family;
    for (family = 0; family < 2; ++family) {
        session_t session;
        cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, NULL);
        cn_endpoint_t endpoint;
        uint8_t token[CN_CONNECT_TOKEN_SIZE];
        int i;
        session_keys(&session);
        session_start_at(&session, cn_server_create(session_config(&session)), wildcards[family]);
        CHECK_OK(cnx_server_bound_endpoint(session.server, &endpoint));
        sprintf(session.address, "%s:%d", reached[family], endpoint.port);
        session_connect(&session, client, 1);

        /* A wildcard is one of its own family. */
        if (family == 1) {
            char other_family[64];
            sprintf(other_family, "127.0.0.1:%d", endpoint.port);
            make_token(token, &session.secret_key, other_family, 1);
            CHECK_OK(cn_client_connect(client, token));
            for (i = 0; i < 30; ++i) session_tick(&session, &client, 1, TICK);
            CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_SENDING_CONNECTION_REQUEST);
        }

        /* A token that lists another address is refused, until that address is the server's too. */
        {
            cn_crypto_key_t up = cn_crypto_generate_key(), down = cn_crypto_generate_key();
            char public_address[64];
            const char* list[2];
            sprintf(public_address, "203.0.113.7:%d", endpoint.port);
            list[0] = public_address;
            list[1] = session.address;
            CHECK_OK(cn_generate_connect_token(APPLICATION_ID, unix_now() + 100, &up, &down, unix_now() + 200, 1,
                2, list, 9, NULL, &session.secret_key, token));
            CHECK_OK(cn_client_connect(client, token));
            for (i = 0; i < 200 && cn_client_state_get(client) != CN_CLIENT_STATE_CONNECTED; ++i)
                session_tick(&session, &client, 1, TICK);
            CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTED); /* by the second */
        }
        CHECK_FAILS(cnx_server_add_public_address(session.server, "host:port"), "Unable to initialize endpoint.");
        CHECK_OK(cnx_server_add_public_address(session.server, "203.0.113.7:5000"));
        cn_server_set_public_ip(session.server, "host:port");
        cn_server_set_public_ip(session.server, "203.0.113.8:5000");
        cn_client_destroy(client);
        cn_server_destroy(session.server);
    }
}

static void d28_a_token_stays_used_when_the_server_is_stopped_and_started(void)
{
    session_t session;
    cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, NULL);
    uint8_t token[CN_CONNECT_TOKEN_SIZE];
    int i;
    session_start(&session);
    make_token(token, &session.secret_key, session.address, 1);
    CHECK_OK(cn_client_connect(client, token));
    for (i = 0; i < 10; ++i) session_tick(&session, &client, 1, TICK);
    CHECK(session.connected == 1);
    cn_server_stop(session.server);
    session_start_at(&session, session.server, session.address);
    CHECK_OK(cn_client_connect(client, token));
    for (i = 0; i < 10; ++i) session_tick(&session, &client, 1, TICK);
    /* A server of CUTE 1.00 refuses without a word, but for a full one, as the original does. */
    CHECK(cn_client_state_get(client)
        == (original_keys ? CN_CLIENT_STATE_SENDING_CONNECTION_REQUEST : CN_CLIENT_STATE_CONNECTION_DENIED));
    CHECK(session.connected == 1);
    session_connect(&session, client, 1); /* another token of the same player */
    CHECK(session.connected == 2);
    cn_client_destroy(client);
    cn_server_destroy(session.server);
}

static void d53_a_crashed_player_comes_back_at_once(void)
{
    session_t session;
    cn_client_t* crashed = cn_client_create(0, APPLICATION_ID, false, NULL);
    cn_client_t* back = cn_client_create(0, APPLICATION_ID, false, NULL);
    session_start(&session);
    session_connect(&session, crashed, 5); /* and is never updated again */
    session_connect(&session, back, 5);
    CHECK(session.connected == 2 && session.disconnected == 1);
    CHECK(exchange(&session, back) == 20);
    cn_client_destroy(crashed);
    cn_client_destroy(back);
    cn_server_destroy(session.server);
}

static void d56_a_disconnect_over_the_simulated_network_arrives(void)
{
    session_t session;
    cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, NULL);
    session_start(&session);
    session_connect(&session, client, 1);
    cn_client_enable_network_simulator(client, 0.5, 0.1, 0, 0);
    cn_client_disconnect(client);
    session_tick(&session, &client, 1, TICK);
    CHECK(session.disconnected == 1);
    cn_client_destroy(client);
    cn_server_destroy(session.server);
}

int main(void)
{
    int kind;
    use_everything();
    for (kind = 0; kind < 2; ++kind) {
        original_keys = kind == 1;
        d36_d37_d38_reconnecting_works_every_time();
        d40_what_was_received_before_a_disconnect_can_be_popped_after_it();
        d41_a_packet_can_be_freed_at_any_time();
        d42_nothing_leaks_and_a_second_start_is_an_error();
        d43_a_failed_start_says_why_and_leaves_the_server_usable();
        d44_stopping_tells_the_clients_and_keeps_the_events();
        d45_a_wildcard_server_takes_tokens_for_the_address_that_was_reached();
        d28_a_token_stays_used_when_the_server_is_stopped_and_started();
        d53_a_crashed_player_comes_back_at_once();
        d56_a_disconnect_over_the_simulated_network_arrives();
    }
    return 0;
}
