/*
 * The pattern of the original's own example: the client mints its token with the shared secret, the clock is
 * mktime(gmtime()), wrong by the time zone, the loop does not sleep, and the first dt is the time since the
 * program started. Another pair passes 0 and 0 throughout.
 */
#include "check.h"

static uint64_t unix_timestamp(void)
{
    time_t now;
    time(&now);
    return (uint64_t)mktime(gmtime(&now));
}

static cn_result_t make_test_token(const session_t* session, uint8_t* token)
{
    cn_crypto_key_t up = cn_crypto_generate_key();
    cn_crypto_key_t down = cn_crypto_generate_key();
    uint64_t now = unix_timestamp();
    const char* addresses[1];
    addresses[0] = session->address;
    return cn_generate_connect_token(APPLICATION_ID, now, &up, &down, now + 60, 5, 1, addresses, 5, NULL,
        &session->secret_key, token);
}

static void without_sleep(void)
{
    session_t session;
    uint8_t token[CN_CONNECT_TOKEN_SIZE];
    cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, NULL);
    double elapsed = 0, sent_at = 0;
    int got = 0, first = 1;
    session_start(&session);
    CHECK_OK(make_test_token(&session, token));
    CHECK_OK(cn_client_connect(client, token));
    while (elapsed < 3.0 && got < 5) {
        double dt = first ? 37.5 : 5e-6;
        cn_server_event_t event;
        first = 0;
        elapsed += dt < 1 ? dt : 0;
        cn_client_update(client, dt, unix_timestamp());
        cn_server_update(session.server, dt, unix_timestamp());
        if (cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTED) {
            if (elapsed - sent_at > 0.002) {
                sent_at = elapsed;
                CHECK_OK(cn_client_send(client, "What's up over there, Mr. Server?", 34, false));
                CHECK_OK(cn_client_send(client, "What's up over there, Mr. Server?", 34, true));
            }
        } else {
            CHECK(cn_client_state_get(client) > 0);
        }
        while (cn_server_pop_event(session.server, &event)) {
            if (event.type == CN_SERVER_EVENT_TYPE_PAYLOAD_PACKET) {
                CHECK(strcmp((const char*)event.u.payload_packet.data, "What's up over there, Mr. Server?") == 0);
                cn_server_free_packet(session.server, event.u.payload_packet.client_index, event.u.payload_packet.data);
                ++got;
            }
        }
    }
    CHECK(got >= 5);
    cn_client_disconnect(client);
    cn_client_destroy(client);
    cn_server_destroy(session.server);
}

static void without_time(void)
{
    session_t session;
    uint8_t token[CN_CONNECT_TOKEN_SIZE];
    cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, NULL);
    cn_crypto_key_t up = cn_crypto_generate_key(), down = cn_crypto_generate_key();
    const char* addresses[1];
    cn_server_event_t event;
    int i, reliable_up = 0, reliable_down = 0, unreliable_down = 0;
    session_start(&session);
    addresses[0] = session.address;
    CHECK_OK(cn_generate_connect_token(APPLICATION_ID, 0, &up, &down, 1, 5, 1, addresses, 17, NULL,
        &session.secret_key, token));
    CHECK_OK(cn_client_connect(client, token));
    for (i = 0; i < 100 && cn_client_state_get(client) != CN_CLIENT_STATE_CONNECTED; ++i) {
        cn_client_update(client, 0, 0);
        cn_server_update(session.server, 0, 0);
    }
    CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTED);
    CHECK(cn_server_is_client_connected(session.server, 0));
    CHECK(cn_server_pop_event(session.server, &event));
    CHECK(event.type == CN_SERVER_EVENT_TYPE_NEW_CONNECTION && event.u.new_connection.client_id == 17);

    /* 1,000 reliable packets each way: nothing may wait for a timer that never fires. */
    for (i = 0; i < 3000; ++i) {
        void* packet;
        int size;
        bool reliably;
        if (i < 1000) {
            CHECK_OK(cn_client_send(client, &i, (int)sizeof(i), true));
            CHECK_OK(cn_server_send(session.server, &i, (int)sizeof(i), 0, true));
            CHECK_OK(cn_server_send(session.server, &i, (int)sizeof(i), 0, false));
        }
        cn_client_update(client, 0, 0);
        cn_server_update(session.server, 0, 0);
        while (cn_client_pop_packet(client, &packet, &size, &reliably)) {
            if (reliably) CHECK(*(int*)packet == reliable_down++);
            else ++unreliable_down;
            cn_client_free_packet(client, packet);
        }
        while (cn_server_pop_event(session.server, &event)) {
            CHECK(event.type == CN_SERVER_EVENT_TYPE_PAYLOAD_PACKET);
            CHECK(*(int*)event.u.payload_packet.data == reliable_up++);
            cn_server_free_packet(session.server, 0, event.u.payload_packet.data);
        }
    }
    CHECK(reliable_up == 1000 && reliable_down == 1000 && unreliable_down == 1000);
    cn_client_disconnect(client);
    cn_server_update(session.server, 0, 0);
    CHECK(cn_server_pop_event(session.server, &event) && event.type == CN_SERVER_EVENT_TYPE_DISCONNECTED);
    cn_client_destroy(client);
    cn_server_destroy(session.server);
}

int main(void)
{
    use_everything();
    without_sleep();
    without_time();
    original_keys = true;
    without_sleep();
    without_time();
    return 0;
}
