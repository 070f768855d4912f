/*
 * A client in the manner of Cute Framework's header since 2026-08-26: results of every send, ticks on the
 * library's clock, statistics, messages on channels, snapshots.
 *
 *     framework_client TOKEN_FILE PLAYER
 */
#include <cute_networking.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <chrono>
#include <thread>

int main(int argc, char** argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s TOKEN_FILE PLAYER\n", argv[0]);
        return 1;
    }
    uint8_t token[CF_CONNECT_TOKEN_SIZE];
    FILE* file = fopen(argv[1], "rb");
    if (!file || fseek(file, atol(argv[2]) * CF_CONNECT_TOKEN_SIZE, SEEK_SET) != 0
        || fread(token, sizeof(token), 1, file) != 1) {
        fprintf(stderr, "%s holds no token for player %s\n", argv[1], argv[2]);
        return 1;
    }
    fclose(file);

    CF_CryptoKey key = cf_crypto_generate_key();
    printf("a key begins with %02x\n", key.bytes[0]);

    CF_Client* client = cf_make_client(0, 100, false);
    CF_Result result = cf_client_connect(client, token);
    if (cf_is_error(result)) {
        fprintf(stderr, "%s\n", result.details);
        return 1;
    }
    cf_client_channel_options(client, 0, 1, true);
    cf_client_set_send_rate(client, 100000);

    int sent = 0, echoed = 0;
    for (int tick = 0; tick < 600 && echoed < 30; ++tick) {
        cf_client_tick(client);
        if (cf_client_state(client) < CF_CLIENT_STATE_DISCONNECTED) break;
        if (cf_client_state(client) == CF_CLIENT_STATE_CONNECTED && sent < 30) {
            char text[32];
            snprintf(text, sizeof(text), "packet %d", sent);
            if (cf_is_error(cf_client_send(client, text, (int)strlen(text) + 1, true))) return 1;
            ++sent;
        }
        void* packet;
        int size;
        while (cf_client_pop_packet(client, &packet, &size, NULL)) {
            char expected[32];
            snprintf(expected, sizeof(expected), "packet %d", echoed);
            if (strcmp((char*)packet, expected) != 0) return 1;
            cf_client_free_packet(client, packet);
            ++echoed;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(16));
    }
    printf("%s: %d sent, %d echoed, round trip %.1f ms, loss %.2f, %.1f kbps in, %.1f out\n",
        cf_client_state_to_string(cf_client_state(client)), sent, echoed, cf_client_rtt(client),
        cf_client_packet_loss(client), cf_client_incoming_kbps(client), cf_client_outgoing_kbps(client));

    unsigned char before[256] = { 0 }, now[256] = { 0 }, packed[300], back[256];
    now[100] = 7;
    int size = cf_snapshot_compress(before, now, (int)sizeof(now), packed, (int)sizeof(packed));
    bool same = size > 0 && cf_snapshot_decompress(before, (int)sizeof(now), packed, size, back) == 0
        && memcmp(back, now, sizeof(now)) == 0;
    printf("a snapshot of 256 bytes, one of them new, takes %d bytes\n", size);

    cf_client_disconnect(client);
    cf_destroy_client(client);
    return echoed == 30 && same ? 0 : 1;
}
