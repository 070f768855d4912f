/* cute_net_x.h: send options, priorities, channel messages, statistics, timeouts. */
#include "check.h"

static const cnx_delivery_t DELIVERIES[4] = { CNX_DELIVERY_RELIABLE_ORDERED, CNX_DELIVERY_RELIABLE_UNORDERED,
    CNX_DELIVERY_UNRELIABLE, CNX_DELIVERY_UNRELIABLE_SEQUENCED };

static cnx_send_options_t options_of(cnx_delivery_t delivery, int channel, uint32_t id)
{
    cnx_send_options_t options;
    memset(&options, 0, sizeof(options));
    options.size = (uint32_t)sizeof(options);
    options.delivery = delivery;
    options.channel = channel;
    options.id = id;
    return options;
}

/* A message says how it was sent: its id is the channel and the delivery, and its bytes repeat the id. */
static uint32_t id_of(int channel, int delivery)
{
    return 0xABCD0000u + (uint32_t)(channel * 16 + delivery);
}

static void check_message(const cnx_message_t* message, int client_index)
{
    int channel = message->channel, delivery = (int)(message->id & 15);
    uint32_t content = 0;
    CHECK(message->size == sizeof(cnx_message_t));
    CHECK(channel >= 1 && channel <= 8 && delivery < 4);
    CHECK(message->id == id_of(channel, delivery));
    CHECK(message->client_index == client_index);
    CHECK(message->reliable == (delivery < 2));
    CHECK(message->data != NULL && message->data_size == (int)sizeof(content));
    memcpy(&content, message->data, sizeof(content));
    CHECK(content == message->id);
}

static void every_delivery_on_every_channel(void)
{
    session_t session;
    cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, NULL);
    cnx_message_t message;
    int channel, delivery, i, at_server = 0, at_client = 0;
    bool seen[9][4];
    session_start(&session);
    session_connect(&session, client, 1);
    memset(seen, 0, sizeof(seen));
    for (channel = 0; channel <= 8; ++channel) {
        for (delivery = 0; delivery < 4; ++delivery) {
            uint32_t content = id_of(channel, delivery);
            cnx_send_options_t options = options_of(DELIVERIES[delivery], channel, channel ? content : 0);
            CHECK_OK(cnx_client_send_with(client, &content, (int)sizeof(content), &options));
            CHECK_OK(cnx_server_send_with(session.server, &content, (int)sizeof(content), session.newest, &options));
        }
    }
    message.size = (uint32_t)sizeof(message);
    for (i = 0; i < 10; ++i) {
        session_tick(&session, &client, 1, TICK);
        while (cnx_server_pop_message(session.server, &message)) {
            check_message(&message, session.newest);
            seen[message.channel][message.id & 15] = true;
            cn_server_free_packet(session.server, message.client_index, message.data);
            ++at_server;
        }
        while (cnx_client_pop_message(client, &message)) {
            check_message(&message, -1);
            CHECK(seen[message.channel][message.id & 15]);
            cn_client_free_packet(client, message.data);
            ++at_client;
        }
    }
    CHECK(at_server == 32 && at_client == 32);
    /* Channel 0 is that of cn_client_send and cn_server_send. */
    CHECK(session.packets == 4 && session.bytes == 16);
    CHECK(client_pop_all(client) == 4);
    cn_client_destroy(client);
    cn_server_destroy(session.server);
}

static void messages_without_bytes(void)
{
    session_t session;
    cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, NULL);
    cnx_send_options_t options = options_of(CNX_DELIVERY_RELIABLE_ORDERED, 3, 7);
    cnx_message_t message;
    session_start(&session);
    session_connect(&session, client, 1);
    CHECK_OK(cnx_client_send_with(client, NULL, 0, &options));
    CHECK_OK(cnx_client_send_with(client, "unread", 0, &options));
    session_tick(&session, &client, 1, TICK);
    /* What was sent before a connection ends can be taken after it, and freed after everything. */
    cn_client_disconnect(client);
    session_tick(&session, &client, 1, TICK);
    CHECK(session.disconnected == 1);
    memset(&message, 0, sizeof(message));
    message.size = (uint32_t)sizeof(message);
    CHECK(cnx_server_pop_message(session.server, &message));
    CHECK(message.data != NULL && message.data_size == 0 && message.channel == 3 && message.id == 7);
    cn_server_free_packet(NULL, 0, message.data);
    CHECK(cnx_server_pop_message(session.server, &message));
    CHECK(message.data != NULL && message.data_size == 0 && message.reliable);
    CHECK(!cnx_server_pop_message(session.server, &message));
    cn_client_destroy(client);
    cn_server_destroy(session.server);
    cn_server_free_packet(NULL, 0, message.data);
}

static int failures_logged = 0;

static void on_log(void* user, cnx_log_level_t level, const char* text)
{
    CHECK(user == NULL && level == CNX_LOG_ERROR && strstr(text, "message_out") != NULL);
    ++failures_logged;
}

static void arguments(void)
{
    session_t session;
    cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, NULL);
    cnx_send_options_t good = options_of(CNX_DELIVERY_RELIABLE_UNORDERED, 1, 1), bad;
    cnx_message_t message;
    cn_result_t result;
    char byte = 'x';
    int no_delivery = 4;
    session_start(&session);
    CHECK_FAILS(cnx_client_send_with(NULL, &byte, 1, &good), "`client` is NULL.");
    CHECK_FAILS(cnx_server_send_with(NULL, &byte, 1, 0, &good), "`server` is NULL.");
    CHECK_FAILS(cnx_client_send_with(client, &byte, 1, &good), "Client is not connected.");
    CHECK_FAILS(cnx_server_send_with(session.server, &byte, 1, 0, &good), "Client is not connected.");
    session_connect(&session, client, 1);
    CHECK_FAILS(cnx_server_send_with(session.server, &byte, 1, -1, &good), "Client is not connected.");
    CHECK_FAILS(cnx_server_send_with(session.server, &byte, 1, 31, &good), "Client is not connected.");
    CHECK_FAILS(cnx_client_send_with(client, &byte, 1, NULL), "`options` is NULL.");
    CHECK_FAILS(cnx_client_send_with(client, NULL, 1, &good), "`data` is NULL");
    CHECK_FAILS(cnx_client_send_with(client, &byte, -1, &good), "`size` is -1: pass how many bytes `data` has.");
    bad = good;
    bad.size = 0;
    CHECK_FAILS(cnx_client_send_with(client, &byte, 1, &bad), "`options->size` is not set");
    bad.size = (uint32_t)sizeof(bad) + 8;
    CHECK_FAILS(cnx_client_send_with(client, &byte, 1, &bad), "`options->size` is 24, that of a later version");
    memcpy(&bad, &good, sizeof(bad));
    memcpy(&bad.delivery, &no_delivery, sizeof(no_delivery));
    CHECK_FAILS(cnx_client_send_with(client, &byte, 1, &bad), "`options->delivery` is 4");
    bad = options_of(CNX_DELIVERY_UNRELIABLE, 9, 1);
    CHECK_FAILS(cnx_client_send_with(client, &byte, 1, &bad), "Channels are 0 to 8, not 9.");
    bad = options_of(CNX_DELIVERY_UNRELIABLE, -1, 1);
    CHECK_FAILS(cnx_server_send_with(session.server, &byte, 1, 0, &bad), "Channels are 0 to 8, not -1.");
    bad = options_of(CNX_DELIVERY_UNRELIABLE, 0, 1);
    CHECK_FAILS(cnx_server_send_with(session.server, &byte, 1, 0, &bad), "Channel 0 carries no ids");
    bad = options_of(CNX_DELIVERY_UNRELIABLE, 0, 0);
    CHECK_FAILS(cnx_client_send_with(client, &byte, 0, &bad), "A message of channel 0 needs at least one byte.");
    {
        int size = 4 * CN_MB;
        void* large = calloc(1, 20 * CN_MB + 1);
        CHECK_OK(cnx_client_send_with(client, large, size / 2, &good));
        CHECK_FAILS(cnx_client_send_with(client, large, size, &good), "More than 4 MiB would wait on this channel");
        CHECK_FAILS(cnx_client_send_with(client, large, 20 * CN_MB + 1, &good), "`size` exceeded `max_size_single_send`");
        free(large);
    }

    cnx_set_log_callback(on_log, CNX_LOG_ERROR, NULL);
    CHECK(!cnx_client_pop_message(client, NULL) && !cnx_server_pop_message(session.server, NULL));
    memset(&message, 0, sizeof(message));
    CHECK(!cnx_client_pop_message(client, &message) && !cnx_server_pop_message(session.server, &message));
    CHECK(failures_logged == 4);
    message.size = (uint32_t)sizeof(message);
    CHECK(!cnx_client_pop_message(NULL, &message) && !cnx_server_pop_message(NULL, &message));
    CHECK(!cnx_client_pop_message(client, &message) && !cnx_server_pop_message(session.server, &message));
    CHECK(failures_logged == 4);
    cnx_set_log_callback(NULL, CNX_LOG_ERROR, NULL);

    CHECK_FAILS(cnx_client_set_channel_priority(NULL, 1, 1), "`client` is NULL.");
    CHECK_FAILS(cnx_server_set_channel_priority(NULL, 1, 1), "`server` is NULL.");
    CHECK_FAILS(cnx_client_set_channel_priority(client, 9, 1), "Channels are 0 to 8, not 9.");
    CHECK_FAILS(cnx_server_set_channel_priority(session.server, -1, 1), "Channels are 0 to 8, not -1.");

    cnx_client_send_with_p(client, &byte, 1, &good, &result);
    CHECK_OK(result);
    cnx_server_send_with_p(session.server, &byte, 1, 0, &good, &result);
    CHECK_OK(result);
    cnx_client_set_channel_priority_p(client, 9, 1, &result);
    CHECK(cn_is_error(result));
    cnx_server_set_channel_priority_p(session.server, 8, 1, &result);
    CHECK_OK(result);
    cnx_client_send_with_p(client, &byte, 1, &good, NULL);
    cn_client_destroy(client);
    cn_server_destroy(session.server);
}

/* The channel of the next message of the client; all that was queued leaves in one datagram. */
static void expect_order(session_t* session, cn_client_t* client, int first, int second)
{
    cnx_message_t message;
    int expected[2], i;
    expected[0] = first;
    expected[1] = second;
    for (i = 1; i <= 2; ++i) {
        cnx_send_options_t options = options_of(CNX_DELIVERY_RELIABLE_ORDERED, i, 0);
        CHECK_OK(cnx_client_send_with(client, "p", 1, &options));
        CHECK_OK(cnx_server_send_with(session->server, "p", 1, session->newest, &options));
    }
    for (i = 0; i < 3; ++i) session_tick(session, &client, 1, TICK);
    message.size = (uint32_t)sizeof(message);
    for (i = 0; i < 2; ++i) {
        CHECK(cnx_server_pop_message(session->server, &message));
        CHECK(message.channel == expected[i]);
        cn_server_free_packet(session->server, 0, message.data);
        CHECK(cnx_client_pop_message(client, &message));
        CHECK(message.channel == expected[i]);
        cn_client_free_packet(client, message.data);
    }
}

static void priorities_outlive_connections(void)
{
    session_t session;
    cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, NULL);
    session_start(&session);
    session_connect(&session, client, 1);
    expect_order(&session, client, 1, 2);
    CHECK_OK(cnx_client_set_channel_priority(client, 2, 5));
    CHECK_OK(cnx_server_set_channel_priority(session.server, 2, 5));
    expect_order(&session, client, 2, 1);
    cn_client_disconnect(client);
    cn_server_stop(session.server);
    session_start_at(&session, session.server, "127.0.0.1:0");
    session_connect(&session, client, 1);
    expect_order(&session, client, 2, 1);
    CHECK_OK(cnx_client_set_channel_priority(client, 1, 6));
    CHECK_OK(cnx_server_set_channel_priority(session.server, 1, 6));
    expect_order(&session, client, 1, 2);
    cn_client_destroy(client);
    cn_server_destroy(session.server);
}

static void check_statistics(const cnx_statistics_t* statistics)
{
    CHECK(statistics->size == sizeof(*statistics));
    CHECK(statistics->datagram_bytes >= 1200 && statistics->datagram_bytes <= 65507);
    CHECK(statistics->round_trip_seconds > 0 && statistics->round_trip_seconds < 1);
    CHECK(statistics->jitter_seconds >= 0 && statistics->jitter_seconds < 1);
    CHECK(statistics->packet_loss >= 0 && statistics->packet_loss < 0.5);
    CHECK(statistics->incoming_kbps > 1 && statistics->incoming_kbps < 1000);
    CHECK(statistics->outgoing_kbps > 1 && statistics->outgoing_kbps < 1000);
    CHECK(statistics->unreliable_dropped == 0);
}

static void connections_have_statistics(void)
{
    session_t session;
    cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, NULL);
    cnx_statistics_t statistics;
    cn_result_t result;
    int i;
    session_start(&session);
    memset(&statistics, 0, sizeof(statistics));
    statistics.size = (uint32_t)sizeof(statistics);
    CHECK_FAILS(cnx_client_statistics(client, &statistics), "Client is not connected.");
    CHECK_FAILS(cnx_server_client_statistics(session.server, 0, &statistics), "Client is not connected.");
    session_connect(&session, client, 1);
    CHECK_FAILS(cnx_client_statistics(NULL, &statistics), "`client` is NULL.");
    CHECK_FAILS(cnx_server_client_statistics(NULL, 0, &statistics), "`server` is NULL.");
    CHECK_FAILS(cnx_client_statistics(client, NULL), "`statistics_out` is NULL.");
    CHECK_FAILS(cnx_server_client_statistics(session.server, -1, &statistics), "Client is not connected.");
    CHECK_FAILS(cnx_server_client_statistics(session.server, 0, NULL), "`statistics_out` is NULL.");
    statistics.size = 0;
    CHECK_FAILS(cnx_client_statistics(client, &statistics), "`statistics_out->size` is not set");
    for (i = 0; i < 120; ++i) {
        CHECK_OK(cn_client_send(client, "a hundred bytes or so", 22, i % 2 == 0));
        CHECK_OK(cn_server_send(session.server, "a hundred bytes or so", 22, 0, i % 2 == 0));
        session_tick(&session, &client, 1, TICK);
        client_pop_all(client);
    }
    CHECK_OK(cn_client_send(client, "0123456789", 10, true));
    statistics.size = (uint32_t)sizeof(statistics);
    CHECK_OK(cnx_client_statistics(client, &statistics));
    check_statistics(&statistics);
    CHECK(statistics.reliable_queued_bytes >= 74 && statistics.reliable_queued_bytes < 5000);
    /* The functions of cute_net.h tell the same. */
    CHECK(statistics.packet_loss == (double)cn_client_get_packet_loss_estimate(client));
    CHECK((float)statistics.incoming_kbps == cn_client_get_incoming_kbps_estimate(client));
    CHECK((float)statistics.outgoing_kbps == cn_client_get_outgoing_kbps_estimate(client));
    CHECK((float)(statistics.round_trip_seconds * 1000) == cn_client_get_rtt_estimate(client));
    CHECK_OK(cnx_server_client_statistics(session.server, 0, &statistics));
    check_statistics(&statistics);
    for (i = 0; i < 60; ++i) session_tick(&session, &client, 1, TICK);
    CHECK_OK(cnx_client_statistics(client, &statistics));
    CHECK(statistics.reliable_queued_bytes == 0);
    /* A program compiled with an older, shorter struct. */
    memset(&statistics, 0xEE, sizeof(statistics));
    statistics.size = (uint32_t)offsetof(cnx_statistics_t, jitter_seconds);
    CHECK_OK(cnx_client_statistics(client, &statistics));
    CHECK(statistics.size == offsetof(cnx_statistics_t, jitter_seconds));
    CHECK(statistics.round_trip_seconds < 1 && statistics.unreliable_dropped == 0xEEEEEEEEEEEEEEEEull);
    statistics.size = (uint32_t)sizeof(statistics);
    cnx_client_statistics_p(client, &statistics, &result);
    CHECK_OK(result);
    cnx_server_client_statistics_p(session.server, 0, &statistics, &result);
    CHECK_OK(result);
    cn_client_destroy(client);
    cn_server_destroy(session.server);
}

static void timeouts(void)
{
    session_t session;
    cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, NULL);
    uint8_t token[CN_CONNECT_TOKEN_SIZE];
    double wait;
    int i;
    CHECK(cnx_client_timeout(NULL) < 0 && cnx_server_timeout(NULL) < 0);
    session_start(&session);
    CHECK(cnx_client_timeout(client) < 0 && cnx_server_timeout(session.server) < 0);
    make_token(token, &session.secret_key, session.address, 1);
    CHECK_OK(cn_client_connect(client, token));
    CHECK(cnx_client_timeout(client) == 0);
    cn_client_update(client, TICK, unix_now());
    wait = cnx_client_timeout(client);
    CHECK(wait > 0 && wait <= 0.1 + 1e-6); /* ten requests a second */
    cn_client_disconnect(client);
    session_connect(&session, client, 1);
    for (i = 0; i < 60; ++i) session_tick(&session, &client, 1, TICK);
    wait = cnx_client_timeout(client);
    CHECK(wait > 0 && wait <= 1);
    wait = cnx_server_timeout(session.server);
    CHECK(wait > 0 && wait <= 1);
    /* What waits for an update is due now, and an update that has nothing else to do does it. */
    CHECK_OK(cn_client_send(client, "x", 1, true));
    CHECK_OK(cn_server_send(session.server, "x", 1, 0, true));
    CHECK(cnx_client_timeout(client) == 0 && cnx_server_timeout(session.server) == 0);
    cn_client_update(client, 0, unix_now());
    CHECK(cnx_client_timeout(client) > 0);
    cn_server_update(session.server, 0, unix_now());
    CHECK(cnx_server_timeout(session.server) > 0);
    session_pop(&session);
    CHECK(session.packets == 1);
    /* A network that is simulated delivers by updates too. */
    cn_client_enable_network_simulator(client, 0.01, 0, 0, 0);
    CHECK_OK(cn_client_send(client, "y", 1, false));
    cn_client_update(client, 0, unix_now());
    wait = cnx_client_timeout(client);
    CHECK(wait > 0 && wait <= 0.01 + 1e-6);
    cn_client_disconnect(client);
    cn_server_stop(session.server);
    CHECK(cnx_client_timeout(client) < 0 && cnx_server_timeout(session.server) < 0);
    cn_client_destroy(client);
    cn_server_destroy(session.server);
}

/* CUTE 1.00 has one size of datagrams, and no path is probed for larger ones. */
static void datagrams_of_cute_1_00(void)
{
    session_t session;
    cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, NULL);
    cnx_statistics_t statistics;
    original_keys = true;
    session_start(&session);
    original_keys = false;
    session_connect(&session, client, 1);
    statistics.size = (uint32_t)sizeof(statistics);
    CHECK_OK(cnx_client_statistics(client, &statistics));
    CHECK(statistics.datagram_bytes == 1280);
    cn_client_destroy(client);
    cn_server_destroy(session.server);
}

int main(void)
{
    use_everything();
    every_delivery_on_every_channel();
    messages_without_bytes();
    arguments();
    priorities_outlive_connections();
    connections_have_statistics();
    datagrams_of_cute_1_00();
    timeouts();
    return 0;
}
