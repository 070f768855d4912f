/*
 * Calls of every kind, drawn from a seed, on two servers and six clients of both protocols: whatever comes after whatever,
 * nothing breaks, everybody gets what was sent to him alone, reliable packets once and in order, events make sense, and
 * nothing is left allocated. CUTE_NET_MONKEY_SEEDS says how many seeds, CUTE_NET_MONKEY_SEED which is the first.
 */
#include <stddef.h>

static void* monkey_alloc(size_t size);
static void monkey_free(void* memory);

#define CN_ALLOC(size, ctx) monkey_alloc(size)
#define CN_FREE(memory, ctx) monkey_free(memory)
#define CUTE_NET_IMPLEMENTATION
#include "check.h"

enum { SERVERS = 2, CLIENTS = 6, SLOTS = 3, KEPT = 40, HEADER = 7, LARGEST = 60000 };

static long blocks = 0;
static unsigned long long state_of_chance;

static void* monkey_alloc(size_t size)
{
    ++blocks;
    return malloc(size);
}

static void monkey_free(void* memory)
{
    --blocks;
    free(memory);
}

static unsigned chance(unsigned below)
{
    state_of_chance ^= state_of_chance << 13;
    state_of_chance ^= state_of_chance >> 7;
    state_of_chance ^= state_of_chance << 17;
    return (unsigned)((state_of_chance >> 11) % below);
}

/* Who sends: an end of a connection, which no other end is like. */
typedef struct sender_t
{
    unsigned end, time, reliable;
} sender_t;

/* Who is heard: unknown before the first packet, then the same until the connection ends. */
typedef struct hearing_t
{
    bool known;
    unsigned end, time, reliable;
} hearing_t;

typedef struct slot_t
{
    bool taken;
    sender_t sender;
    hearing_t hearing;
} slot_t;

static cn_crypto_sign_public_t public_keys[2];
static cn_crypto_sign_secret_t secret_keys[2];
static cn_server_t* servers[SERVERS];
static char addresses[SERVERS][64];
static slot_t slots[SERVERS][SLOTS];
static cn_client_t* clients[CLIENTS];
static uint8_t tokens[CLIENTS][CN_CONNECT_TOKEN_SIZE];
static sender_t client_senders[CLIENTS];
static hearing_t client_hearings[CLIENTS];
static unsigned times = 0, heard = 0, joined = 0;
static uint64_t unix_time = 1000000;
static void* kept[KEPT];

static void keep(void* packet)
{
    unsigned place = chance(KEPT), how = chance(4);
    if (how == 0) cn_client_free_packet(NULL, kept[place]);
    else if (how == 1) cn_client_free_packet(clients[chance(CLIENTS)], kept[place]);
    else cn_server_free_packet(servers[chance(SERVERS)], (int)chance(9) - 3, kept[place]);
    kept[place] = packet;
}

static int make_packet(uint8_t* bytes, const sender_t* sender, bool reliable)
{
    unsigned header[HEADER];
    int size = (int)(sizeof(header) + (chance(30) == 0 ? chance(LARGEST) : chance(3) == 0 ? chance(2500) : chance(40))), i;
    header[0] = 0x6D6F6E6B;
    header[1] = sender->end;
    header[2] = sender->time;
    header[3] = reliable;
    header[4] = sender->reliable;
    header[5] = (unsigned)size;
    header[6] = chance(1000000);
    memcpy(bytes, header, sizeof(header));
    for (i = (int)sizeof(header); i < size; ++i) bytes[i] = (uint8_t)(header[6] + (unsigned)i * 7);
    return size;
}

static void hear(hearing_t* hearing, const void* data, int size)
{
    const uint8_t* bytes = (const uint8_t*)data;
    unsigned header[HEADER];
    int i;
    CHECK(size >= (int)sizeof(header));
    memcpy(header, bytes, sizeof(header));
    CHECK(header[0] == 0x6D6F6E6B && header[5] == (unsigned)size);
    for (i = (int)sizeof(header); i < size; ++i) CHECK(bytes[i] == (uint8_t)(header[6] + (unsigned)i * 7));
    if (!hearing->known) {
        hearing->known = true;
        hearing->end = header[1];
        hearing->time = header[2];
        hearing->reliable = 0;
    }
    CHECK(header[1] == hearing->end && header[2] == hearing->time);
    if (header[3]) CHECK(header[4] == hearing->reliable++);
    ++heard;
}

static double any_dt(void)
{
    static const double steps[] = { 0.0, 0.001, 0.016, 0.016, 0.016, 0.016, 0.05, 0.1, -3.0, 1e-300 };
    if (chance(3000) == 0) return chance(2) ? 1e300 : strtod("nan", NULL);
    if (chance(1000) == 0) return chance(2) ? 1.5 : 12.0;
    return steps[chance(10)];
}

static void forget_slots(unsigned server)
{
    memset(slots[server], 0, sizeof(slots[server]));
}

static void start(unsigned server)
{
    cn_endpoint_t bound;
    cn_result_t result = cn_server_start(servers[server], addresses[server]);
    if (cn_is_error(cnx_server_bound_endpoint(servers[server], &bound))) {
        /* While it was stopped, the system gave its port to another socket: one of a client here, or of another program. */
        result = cn_server_start(servers[server], "127.0.0.1:0");
        CHECK_OK(result);
        CHECK_OK(cnx_server_bound_endpoint(servers[server], &bound));
    }
    if (!cn_is_error(result)) forget_slots(server); /* events of an earlier run are gone */
    cn_endpoint_to_string(bound, addresses[server], (int)sizeof(addresses[server]));
}

static void create_server(unsigned server)
{
    cn_server_config_t config = cn_server_config_defaults();
    unsigned kind = server % 2;
    config.application_id = APPLICATION_ID;
    config.public_key = public_keys[kind];
    config.secret_key = secret_keys[kind];
    config.connection_timeout = (int)chance(12) - 1;
    config.max_outgoing_bytes_per_second = chance(4) == 0 ? 100000 : 0;
    config.max_incoming_bytes_per_second = chance(4) == 0 ? 100000 : 0;
    servers[server] = cnx_server_create(config, SLOTS);
    CHECK_OK(cnx_server_add_key(servers[server], &public_keys[1 - kind], &secret_keys[1 - kind]));
    start(server);
}

static void new_client(unsigned client)
{
    clients[client] = cn_client_create(0, APPLICATION_ID, chance(2) == 0, NULL);
    memset(&client_hearings[client], 0, sizeof(hearing_t));
}

static void connects(unsigned client)
{
    cn_crypto_key_t up = cn_crypto_generate_key(), down = cn_crypto_generate_key();
    const char* list[2];
    unsigned other = chance(CLIENTS);
    list[0] = addresses[chance(SERVERS)];
    list[1] = chance(3) ? addresses[chance(SERVERS)] : "127.0.0.1:1";
    if (chance(6) > 0)
        CHECK_OK(cn_generate_connect_token(APPLICATION_ID, unix_time + chance(5), &up, &down, unix_time + 10 + chance(100),
            chance(4), 1 + (int)chance(2), list, 1 + chance(8), NULL, &secret_keys[chance(2)], tokens[client]));
    else if (chance(3) == 0) memcpy(tokens[client], tokens[other], sizeof(tokens[client])); /* a stolen one */
    else if (chance(4) == 0) tokens[client][chance(CN_CONNECT_TOKEN_SIZE)] ^= (uint8_t)(1 + chance(255));
    if (cn_is_error(cn_client_connect(clients[client], tokens[client]))) {
        CHECK(cn_client_state_get(clients[client]) <= CN_CLIENT_STATE_DISCONNECTED);
        return;
    }
    client_senders[client].end = 100 + client;
    client_senders[client].time = ++times;
    client_senders[client].reliable = 0;
    memset(&client_hearings[client], 0, sizeof(hearing_t));
}

static void pops_events(unsigned server, unsigned most)
{
    cn_server_event_t event;
    while (most-- > 0 && cn_server_pop_event(servers[server], &event)) {
        slot_t* slot;
        CHECK(event.u.disconnected.client_index >= 0 && event.u.disconnected.client_index < SLOTS);
        slot = &slots[server][event.u.disconnected.client_index];
        switch (event.type) {
        case CN_SERVER_EVENT_TYPE_NEW_CONNECTION:
            CHECK(!slot->taken && event.u.new_connection.client_id >= 1 && event.u.new_connection.client_id <= 8);
            memset(slot, 0, sizeof(*slot));
            slot->taken = true;
            slot->sender.end = server * SLOTS + (unsigned)event.u.new_connection.client_index;
            slot->sender.time = ++times;
            ++joined;
            break;
        case CN_SERVER_EVENT_TYPE_DISCONNECTED:
            CHECK(slot->taken);
            slot->taken = false;
            break;
        case CN_SERVER_EVENT_TYPE_PAYLOAD_PACKET:
            CHECK(slot->taken);
            hear(&slot->hearing, event.u.payload_packet.data, event.u.payload_packet.size);
            keep(event.u.payload_packet.data);
            break;
        }
    }
}

static void pops_packets(unsigned client, unsigned most)
{
    void* packet;
    int size;
    while (most-- > 0 && cn_client_pop_packet(clients[client], &packet, &size, NULL)) {
        hear(&client_hearings[client], packet, size);
        keep(packet);
    }
}

static void client_acts(unsigned client)
{
    static uint8_t bytes[LARGEST + 100];
    cn_client_t* it = clients[client];
    bool reliable = chance(2) == 0;
    cnx_simulator_t network;
    cnx_message_t message;
    cnx_disconnection_t disconnection;
    cnx_statistics_t statistics;
    int size;
    switch (chance(24)) {
    default: cn_client_update(it, any_dt(), unix_time); break;
    case 0: if (chance(5) == 0) connects(client); break;
    case 1: case 2: case 3: case 4: case 5: case 6:
        size = make_packet(bytes, &client_senders[client], reliable);
        if (!cn_is_error(cn_client_send(it, bytes, size, reliable)) && reliable) ++client_senders[client].reliable;
        break;
    case 7: case 8: case 9: pops_packets(client, 1 + chance(20)); break;
    case 10:
        if (chance(30) == 0) cn_client_disconnect(it);
        if (chance(30) == 0) (void)cnx_client_disconnect_with(it, (int)chance(300), bytes, (int)chance(300));
        if (chance(40) == 0) {
            cn_client_destroy(it);
            new_client(client);
        }
        break;
    case 11: cnx_client_set_send_mode(it, (cnx_send_mode_t)chance(2)); break;
    case 12: cnx_client_flush(it); break;
    case 13:
        memset(&network, 0, sizeof(network));
        network.size = (uint32_t)sizeof(network);
        network.latency_seconds = chance(3) * 0.02;
        network.jitter_seconds = chance(3) * 0.02;
        network.drop_chance = chance(3) * 0.1;
        network.duplicate_chance = chance(3) * 0.1;
        network.reorder_chance = chance(3) * 0.1;
        CHECK_OK(cnx_client_set_simulator(it, chance(2) ? &network : NULL, chance(2) ? &network : NULL, chance(1000)));
        break;
    case 14:
        message.size = (uint32_t)sizeof(message);
        if (cnx_client_pop_message(it, &message)) {
            CHECK(message.client_index == -1 && message.channel >= 1 && message.channel <= 8);
            keep(message.data);
        }
        break;
    case 15: {
        cnx_send_options_t options;
        options.size = (uint32_t)sizeof(options);
        options.delivery = (cnx_delivery_t)chance(4);
        options.channel = 1 + (int32_t)chance(8);
        options.id = chance(100);
        (void)cnx_client_send_with(it, bytes, (int)chance(2000), &options);
        (void)cnx_client_set_channel_priority(it, (int)chance(10), (int)chance(5));
        break;
    }
    case 16:
        disconnection.size = (uint32_t)sizeof(disconnection);
        if (cnx_client_disconnection(it, &disconnection)) {
            CHECK(cn_client_state_get(it) <= CN_CLIENT_STATE_DISCONNECTED);
            CHECK(disconnection.data_size >= 0 && disconnection.data_size <= 255);
        }
        statistics.size = (uint32_t)sizeof(statistics);
        if (!cn_is_error(cnx_client_statistics(it, &statistics)))
            CHECK(statistics.packet_loss >= 0 && statistics.packet_loss <= 1 && statistics.round_trip_seconds >= 0);
        CHECK(cnx_client_timeout(it) <= 1);
        break;
    }
}

static void server_acts(unsigned server)
{
    static uint8_t bytes[LARGEST + 100];
    cn_server_t* it = servers[server];
    int index = (int)chance(SLOTS), all[4], size;
    slot_t* slot = &slots[server][index];
    bool reliable = chance(2) == 0;
    cnx_message_t message;
    cnx_disconnection_t disconnection;
    switch (chance(24)) {
    default: cn_server_update(it, any_dt(), unix_time); break;
    case 1: case 2: case 3: case 4: case 5: case 6:
        if (!slot->taken) break; /* the program knows of nobody there */
        size = make_packet(bytes, &slot->sender, reliable);
        if (!cn_is_error(cn_server_send(it, bytes, size, index, reliable)) && reliable) ++slot->sender.reliable;
        break;
    case 7: case 8: case 9: case 10: pops_events(server, 1 + chance(40)); break;
    case 11: cnx_server_set_send_mode(it, (cnx_send_mode_t)chance(3)); break;
    case 12: cnx_server_flush(it); break;
    case 13:
        if (chance(20) == 0) cn_server_disconnect_client(it, (int)chance(8) - 2, chance(2) == 0);
        if (chance(20) == 0) (void)cnx_server_disconnect_client_with(it, index, (int)chance(300), bytes, (int)chance(300));
        break;
    case 14:
        if (chance(40) == 0) cn_server_stop(it);
        if (chance(10) == 0) start(server);
        if (chance(100) == 0) {
            cn_server_destroy(it);
            create_server(server);
        }
        break;
    case 15:
        message.size = (uint32_t)sizeof(message);
        if (cnx_server_pop_message(it, &message)) {
            CHECK(message.client_index >= 0 && message.client_index < SLOTS && message.data_size >= 0);
            keep(message.data);
        }
        break;
    case 16:
        for (size = 0; size < 4; ++size) all[size] = (int)chance(7) - 2;
        (void)cnx_server_send_many(it, bytes, -1, all, 4, true);
        disconnection.size = (uint32_t)sizeof(disconnection);
        (void)cnx_server_disconnection(it, index, &disconnection);
        CHECK(cnx_server_client_count(it) >= 0 && cnx_server_client_count(it) <= SLOTS && cnx_server_timeout(it) <= 1);
        cn_server_set_public_ip(it, chance(2) ? "203.0.113.7:1" : "nonsense");
        (void)cn_server_is_client_connected(it, (int)chance(1000) - 500);
        break;
    case 17:
        if (chance(20) == 0) cn_server_enable_network_simulator(it, 0.01 * chance(3), 0.01 * chance(3), 0.05 * chance(3), 0);
        if (chance(10) == 0) (void)cnx_server_remove_key(it, &public_keys[chance(2)]);
        if (chance(5) == 0) {
            unsigned kind = chance(2);
            (void)cnx_server_add_key(it, &public_keys[kind], &secret_keys[kind]);
        }
        break;
    }
}

static void run(unsigned long long seed, unsigned steps)
{
    unsigned i;
    state_of_chance = seed * 0x9E3779B97F4A7C15ull + 1;
    heard = joined = 0;
    cn_crypto_sign_keygen(&public_keys[0], &secret_keys[0]);
    cnx_crypto_sign_keygen_1_00(&public_keys[1], &secret_keys[1]);
    memset(kept, 0, sizeof(kept));
    memset(tokens, 0, sizeof(tokens));
    for (i = 0; i < SERVERS; ++i) {
        strcpy(addresses[i], "127.0.0.1:0");
        forget_slots(i);
        create_server(i);
    }
    for (i = 0; i < CLIENTS; ++i) new_client(i);
    for (i = 0; i < steps; ++i) {
        if (chance(100) == 0) unix_time += chance(3);
        if (chance(2) == 0) client_acts(chance(CLIENTS));
        else server_acts(chance(SERVERS));
        if (i % 8 == 0) { /* and now and then everybody goes on */
            unsigned c;
            for (c = 0; c < CLIENTS; ++c) cn_client_update(clients[c], TICK, unix_time);
            for (c = 0; c < SERVERS; ++c) cn_server_update(servers[c], TICK, unix_time);
        }
        if (chance(100) == 0) connects(chance(CLIENTS));
    }
    for (i = 0; i < CLIENTS; ++i) cn_client_destroy(clients[i]);
    for (i = 0; i < SERVERS; ++i) cn_server_destroy(servers[i]);
    for (i = 0; i < KEPT; ++i) cn_server_free_packet(NULL, 0, kept[i]);
    CHECK(blocks == 0);
}

static unsigned long long number_of(const char* variable, unsigned long long otherwise)
{
    const char* text = getenv(variable);
    return text ? strtoull(text, NULL, 0) : otherwise;
}

int main(void)
{
    unsigned long long seeds = number_of("CUTE_NET_MONKEY_SEEDS", 3), first = number_of("CUTE_NET_MONKEY_SEED", 1), seed;
    unsigned all_heard = 0, all_joined = 0;
    use_everything();
    for (seed = first; seed < first + seeds; ++seed) {
        fprintf(stderr, "seed %llu\n", seed); /* shown if this fails */
        run(seed, 10000);
        all_heard += heard;
        all_joined += joined;
    }
    fprintf(stderr, "%u packets heard, %u connections\n", all_heard, all_joined);
    CHECK(seeds < 3 || (all_joined > seeds * 20 && all_heard > seeds * 200));
    return 0;
}
