/* One end of a connection, for tests/interop.rs: this file is compiled once against our library and once
   against the original header (INTEROP_ORIGINAL, with its path in INTEROP_HEADER), so it uses what both have.

     interop_peer keygen PROTOCOL
     interop_peer token SECRET ADDRESS FIRST_ID COUNT
     interop_peer server PORT PUBLIC SECRET TIMEOUT SEND SIZE HOW HEARTBEAT LOSS [PUBLIC SECRET]
     interop_peer client TOKENS CLIENTS SEND SIZE HOW HEARTBEAT LOSS

   PROTOCOL is 1 for CUTE 1.00, or 2, which the original does not know; a server with a second pair of keys has room
   for MAX_PEERS clients, and the original does not know it either.

   Keys and tokens are in hexadecimal; TOKENS is a file with one on each line. Every connection sends SEND messages
   of SIZE bytes, HOW is `r` (reliably) or `u`; with HEARTBEAT 1 also a packet of 3 bytes every tick. LOSS in per
   cent goes to the simulator, and reorders too. It says what happens on standard output, a line each, and takes
   commands on standard input: report, kick, disconnect, reconnect, quit. It ends after LIMIT seconds at the latest. */
#ifdef INTEROP_ORIGINAL
#define CUTE_NET_IMPLEMENTATION
#include INTEROP_HEADER
#else
#include "cute_net.h"
#include "cute_net_x.h"
#endif

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { APPLICATION = 42, LIMIT = 60, MAX_PEERS = 64, HEARTBEAT_SIZE = 3, MAX_MESSAGE = 300000 };

/* Game time passes faster than the clock, the same for both builds. */
static const double SPEED = 2.0;
static const double LONGEST_STEP = 0.25;

/* What one connection has sent and got. */
typedef struct progress_t
{
    int sent;
    int refused; /* calls that failed: the queue was full */
    int good;    /* whole, in order where reliable */
    int cut;     /* shorter or longer than sent */
    int bad;     /* anything else */
    int wait;
    int seen[256];
} progress_t;

typedef struct work_t
{
    int send;
    int size;
    bool reliable;
    bool heartbeat;
    double loss;
} work_t;

static work_t work;
static uint8_t message[MAX_MESSAGE];

static void fail(const char* what)
{
    printf("failed %s\n", what);
    exit(1);
}

static void fill(uint8_t* out, int number, int size)
{
    int i;
    for (i = 0; i < size; ++i) out[i] = (uint8_t)(number * 31 + i * 7 + i / 251);
    out[0] = (uint8_t)number;
}

/* Sends what is left of one connection; reliable messages all at once, the others a few ticks apart. */
static void progress_send(progress_t* progress, cn_client_t* client, cn_server_t* server, int index)
{
    static const char beat[HEARTBEAT_SIZE] = { 'h', 'b', 0 };
    if (work.heartbeat) {
        if (client) cn_client_send(client, beat, HEARTBEAT_SIZE, false);
        else cn_server_send(server, beat, HEARTBEAT_SIZE, index, false);
    }
    if (progress->wait-- > 0) return;
    while (progress->sent < work.send) {
        cn_result_t result;
        fill(message, progress->sent, work.size);
        result = client ? cn_client_send(client, message, work.size, work.reliable)
                        : cn_server_send(server, message, work.size, index, work.reliable);
        if (cn_is_error(result)) {
            ++progress->refused;
            break;
        }
        ++progress->sent;
        if (!work.reliable) {
            progress->wait = work.size > 10000 ? 25 : 1;
            break;
        }
    }
}

static void progress_take(progress_t* progress, const uint8_t* data, int size)
{
    int number = progress->good + progress->cut + progress->bad;
    if (size == HEARTBEAT_SIZE && data[0] == 'h') return;
    if (size != work.size) {
        ++progress->cut;
        return;
    }
    if (!work.reliable) number = data[0];
    fill(message, number, size);
    if (memcmp(message, data, (size_t)size) != 0 || (!work.reliable && progress->seen[data[0]]++)) ++progress->bad;
    else ++progress->good;
}

static void progress_report(const progress_t* progress, int index)
{
    printf("report %d sent %d refused %d good %d cut %d bad %d\n", index, progress->sent, progress->refused,
        progress->good, progress->cut, progress->bad);
}

static void hex_print(const uint8_t* bytes, int count)
{
    int i;
    for (i = 0; i < count; ++i) printf("%02x", bytes[i]);
    printf("\n");
}

static void hex_read(uint8_t* out, int count, const char* text)
{
    int i;
    unsigned byte;
    if ((int)strlen(text) < 2 * count) fail("hexadecimal digits are missing");
    for (i = 0; i < count; ++i) {
        if (sscanf(text + 2 * i, "%2x", &byte) != 1) fail("hexadecimal digits are expected");
        out[i] = (uint8_t)byte;
    }
}

/* The game time since the last call. */
static double step(void)
{
    static double last = -1.0;
    struct timespec now;
    double time, dt;
    usleep(3000);
    clock_gettime(CLOCK_MONOTONIC, &now);
    time = (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
    dt = last < 0.0 ? 0.0 : (time - last) * SPEED;
    last = time;
    return dt > LONGEST_STEP ? LONGEST_STEP : dt;
}

/* The next command; empty if there is none. The end of the input is `quit`. */
static const char* command(void)
{
    static char line[64];
    static int filled = 0;
    char c;
    for (;;) {
        ssize_t got = read(0, &c, 1);
        if (got == 0) return "quit";
        if (got < 0) return "";
        if (c == '\n') {
            line[filled] = 0;
            filled = 0;
            return line;
        }
        if (filled < (int)sizeof(line) - 1) line[filled++] = c;
    }
}

static void keygen(int protocol)
{
    cn_crypto_sign_public_t public_key;
    cn_crypto_sign_secret_t secret_key;
#ifdef INTEROP_ORIGINAL
    if (protocol != 1) fail("the original speaks CUTE 1.00 alone");
    cn_crypto_sign_keygen(&public_key, &secret_key);
#else
    if (protocol == 1) cnx_crypto_sign_keygen_1_00(&public_key, &secret_key);
    else cn_crypto_sign_keygen(&public_key, &secret_key);
#endif
    hex_print(public_key.key, 32);
    hex_print(secret_key.key, 64);
}

static void tokens(char** arguments)
{
    static uint8_t token[CN_CONNECT_TOKEN_SIZE];
    cn_crypto_sign_secret_t secret_key;
    const char* address = arguments[1];
    int i, first = atoi(arguments[2]), count = atoi(arguments[3]);
    uint64_t now = (uint64_t)time(NULL);
    hex_read(secret_key.key, 64, arguments[0]);
    for (i = 0; i < count; ++i) {
        cn_crypto_key_t up = cn_crypto_generate_key();
        cn_crypto_key_t down = cn_crypto_generate_key();
        cn_result_t result = cn_generate_connect_token(APPLICATION, now + (uint64_t)i, &up, &down, now + 300, 30, 1,
            &address, (uint64_t)(first + i), NULL, &secret_key, token);
        if (cn_is_error(result)) fail("cn_generate_connect_token");
        hex_print(token, CN_CONNECT_TOKEN_SIZE);
    }
}

/* Gives a server a second pair of keys, in hexadecimal, and room for MAX_PEERS clients. */
static void server_add_key(cn_server_t* server, const char* public_digits, const char* secret_digits)
{
#ifdef INTEROP_ORIGINAL
    (void)server, (void)public_digits, (void)secret_digits;
    fail("the original has one pair of keys");
#else
    cn_crypto_sign_public_t public_key;
    cn_crypto_sign_secret_t secret_key;
    hex_read(public_key.key, 32, public_digits);
    hex_read(secret_key.key, 64, secret_digits);
    if (cn_is_error(cnx_server_add_key(server, &public_key, &secret_key))) fail("cnx_server_add_key");
    if (cn_is_error(cnx_server_set_max_clients(server, MAX_PEERS))) fail("cnx_server_set_max_clients");
#endif
}

static void server_main(char** arguments, int count)
{
    static progress_t progress[MAX_PEERS];
    static bool connected[MAX_PEERS];
    char address[64];
    int i, port = atoi(arguments[0]);
    cn_server_t* server;
    cn_server_config_t config = cn_server_config_defaults();
    config.application_id = APPLICATION;
    config.connection_timeout = atoi(arguments[3]);
    config.user_allocator_context = NULL;
    hex_read(config.public_key.key, 32, arguments[1]);
    hex_read(config.secret_key.key, 64, arguments[2]);
    server = cn_server_create(config);
    if (!server) fail("cn_server_create");
    if (count == 11) server_add_key(server, arguments[9], arguments[10]);
    snprintf(address, sizeof(address), "127.0.0.1:%d", port);
    if (cn_is_error(cn_server_start(server, address))) fail("cn_server_start");
#ifndef INTEROP_ORIGINAL
    {
        cn_endpoint_t bound;
        if (cn_is_error(cnx_server_bound_endpoint(server, &bound))) fail("cnx_server_bound_endpoint");
        port = bound.port;
    }
#endif
    if (work.loss > 0.0) cn_server_enable_network_simulator(server, 0.02, 0.05, work.loss, 0.0);
    printf("listens %d\n", port);
    for (;;) {
        cn_server_event_t event;
        const char* order = command();
        if (strcmp(order, "quit") == 0) break;
        if (strcmp(order, "report") == 0) {
            for (i = 0; i < MAX_PEERS; ++i)
                if (connected[i]) progress_report(&progress[i], i);
            printf("reported\n");
        }
        if (strcmp(order, "kick") == 0)
            for (i = 0; i < MAX_PEERS; ++i)
                if (connected[i]) cn_server_disconnect_client(server, i, true);
        cn_server_update(server, step(), (uint64_t)time(NULL));
        while (cn_server_pop_event(server, &event)) {
            switch (event.type) {
            case CN_SERVER_EVENT_TYPE_NEW_CONNECTION:
                i = event.u.new_connection.client_index;
                memset(&progress[i], 0, sizeof(progress[i]));
                connected[i] = true;
                printf("connected %d\n", (int)event.u.new_connection.client_id);
                break;
            case CN_SERVER_EVENT_TYPE_DISCONNECTED:
                i = event.u.disconnected.client_index;
                connected[i] = false;
                printf("disconnected %d\n", i);
                break;
            case CN_SERVER_EVENT_TYPE_PAYLOAD_PACKET:
                i = event.u.payload_packet.client_index;
                progress_take(&progress[i], (const uint8_t*)event.u.payload_packet.data, event.u.payload_packet.size);
                cn_server_free_packet(server, i, event.u.payload_packet.data);
                break;
            }
        }
        for (i = 0; i < MAX_PEERS; ++i)
            if (connected[i] && cn_server_is_client_connected(server, i)) progress_send(&progress[i], NULL, server, i);
    }
    cn_server_destroy(server);
}

static void client_main(char** arguments)
{
    static char line[2 * CN_CONNECT_TOKEN_SIZE + 8];
    static uint8_t token[CN_CONNECT_TOKEN_SIZE];
    static progress_t progress[MAX_PEERS];
    static cn_client_t* clients[MAX_PEERS];
    static cn_client_state_t states[MAX_PEERS];
    int i, count = atoi(arguments[1]);
    FILE* file = fopen(arguments[0], "r");
    if (!file) fail("the file with the tokens does not open");
    for (i = 0; i < count; ++i) {
        if (!fgets(line, (int)sizeof(line), file)) fail("there are not enough tokens");
        hex_read(token, CN_CONNECT_TOKEN_SIZE, line);
        clients[i] = cn_client_create(0, APPLICATION, false, NULL);
        if (!clients[i]) fail("cn_client_create");
        if (cn_is_error(cn_client_connect(clients[i], token))) fail("cn_client_connect");
        if (work.loss > 0.0) cn_client_enable_network_simulator(clients[i], 0.02, 0.05, work.loss, 0.0);
    }
    for (;;) {
        double dt = step();
        const char* order = command();
        if (strcmp(order, "quit") == 0) break;
        if (strcmp(order, "report") == 0) {
            for (i = 0; i < count; ++i) progress_report(&progress[i], i);
            printf("reported\n");
        }
        if (strcmp(order, "disconnect") == 0)
            for (i = 0; i < count; ++i) cn_client_disconnect(clients[i]);
        if (strcmp(order, "reconnect") == 0) {
            for (i = 0; i < count; ++i) {
                if (!fgets(line, (int)sizeof(line), file)) fail("there are not enough tokens");
                hex_read(token, CN_CONNECT_TOKEN_SIZE, line);
                memset(&progress[i], 0, sizeof(progress[i]));
                if (cn_is_error(cn_client_connect(clients[i], token))) fail("cn_client_connect");
            }
        }
        for (i = 0; i < count; ++i) {
            cn_client_state_t state;
            void* packet;
            int size;
            bool reliably;
            cn_client_update(clients[i], dt, (uint64_t)time(NULL));
            while (cn_client_pop_packet(clients[i], &packet, &size, &reliably)) {
                if (reliably != work.reliable && !(size == HEARTBEAT_SIZE && !reliably)) ++progress[i].bad;
                else progress_take(&progress[i], (const uint8_t*)packet, size);
                cn_client_free_packet(clients[i], packet);
            }
            state = cn_client_state_get(clients[i]);
            if (state != states[i]) printf("state %d\n", (int)state);
            states[i] = state;
            if (state == CN_CLIENT_STATE_CONNECTED) progress_send(&progress[i], clients[i], NULL, 0);
        }
    }
    for (i = 0; i < count; ++i) {
        cn_client_disconnect(clients[i]);
        cn_client_destroy(clients[i]);
    }
    fclose(file);
}

int main(int count, char** arguments)
{
    int at;
    bool server = (count == 11 || count == 13) && strcmp(arguments[1], "server") == 0;
    bool client = count == 9 && strcmp(arguments[1], "client") == 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    alarm(LIMIT);
    if (count == 3 && strcmp(arguments[1], "keygen") == 0) {
        keygen(atoi(arguments[2]));
        return 0;
    }
    if (count == 6 && strcmp(arguments[1], "token") == 0) {
        tokens(arguments + 2);
        return 0;
    }
    if (!server && !client) fail("the arguments are described in the source");
    at = server ? 6 : 4;
    work.send = atoi(arguments[at]);
    work.size = atoi(arguments[at + 1]);
    work.reliable = arguments[at + 2][0] == 'r';
    work.heartbeat = atoi(arguments[at + 3]) != 0;
    work.loss = atoi(arguments[at + 4]) / 100.0;
    if (work.size > MAX_MESSAGE || work.size < 1) fail("the size is out of range");
    fcntl(0, F_SETFL, fcntl(0, F_GETFL) | O_NONBLOCK);
    if (server) server_main(arguments + 2, count - 2);
    else client_main(arguments + 2);
    return 0;
}
