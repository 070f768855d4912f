/*
 * A server in the manner of Cute Framework's header up to 2026-08-22: keys by their member `key`, a key pair of
 * its own, tokens written to a file in place of a web service, `update` with the program's own clock.
 *
 *     framework_server TOKEN_FILE PLAYERS
 */
#include <cute_networking.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <chrono>
#include <thread>

using namespace Cute;

static const uint64_t APPLICATION_ID = 100;

int main(int argc, char** argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s TOKEN_FILE PLAYERS\n", argv[0]);
        return 1;
    }
    int players = atoi(argv[2]);

    CryptoSignPublic public_key;
    CryptoSignSecret secret_key;
    crypto_sign_keygen(&public_key, &secret_key);

    ServerConfig config = server_config_defaults();
    config.application_id = APPLICATION_ID;
    memcpy(config.public_key.key, public_key.key, sizeof(public_key.key));
    memcpy(config.secret_key.key, secret_key.key, sizeof(secret_key.key));
    config.max_incoming_bytes_per_second = 0;
    config.max_outgoing_bytes_per_second = 0;

    /* A port that was free a moment ago: this generation can't ask which one port 0 became. */
    Server* server = make_server(config);
    char address[64];
    CF_Result result = result_failure("no port was tried");
    for (int port = 41000 + (int)(time(NULL) % 1000); is_error(result) && port < 43000; ++port) {
        snprintf(address, sizeof(address), "127.0.0.1:%d", port);
        result = server_start(server, address);
    }
    if (is_error(result)) {
        fprintf(stderr, "%s\n", result.details);
        return 1;
    }

    FILE* file = fopen(argv[1], "wb");
    for (int i = 0; file && i < players; ++i) {
        CryptoKey client_to_server = crypto_generate_key();
        CryptoKey server_to_client = crypto_generate_key();
        const char* addresses[] = { address };
        uint8_t token[CF_CONNECT_TOKEN_SIZE];
        uint64_t now = (uint64_t)time(NULL);
        result = generate_connect_token(APPLICATION_ID, now, &client_to_server, &server_to_client, now + 60, 5, 1,
            addresses, (uint64_t)i + 1, NULL, &secret_key, token);
        if (is_error(result)) {
            fprintf(stderr, "%s\n", result.details);
            return 1;
        }
        fwrite(token, sizeof(token), 1, file);
    }
    if (!file || fclose(file) != 0) {
        perror(argv[1]);
        return 1;
    }
    puts("ready");
    fflush(stdout);

    int joined = 0, left = 0, packets = 0;
    for (int tick = 0; tick < 1800 && (joined < players || left < joined); ++tick) {
        server_update(server, 1.0 / 60.0, (uint64_t)time(NULL));
        ServerEvent e;
        while (server_pop_event(server, &e)) {
            if (e.type == SERVER_EVENT_TYPE_NEW_CONNECTION) {
                char from[64];
                address_to_string(e.u.new_connection.endpoint, from, sizeof(from));
                printf("%s: player %d from %s\n", to_string(e.type), (int)e.u.new_connection.client_id, from);
                ++joined;
            } else if (e.type == SERVER_EVENT_TYPE_DISCONNECTED) {
                ++left;
            } else if (e.type == SERVER_EVENT_TYPE_PAYLOAD_PACKET) {
                ++packets;
                server_send(server, e.u.payload_packet.data, e.u.payload_packet.size,
                    e.u.payload_packet.client_index, true);
                server_free_packet(server, e.u.payload_packet.client_index, e.u.payload_packet.data);
            }
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(16));
    }
    printf("%d joined, %d left, %d packets echoed\n", joined, left, packets);
    server_stop(server);
    destroy_server(server);
    return joined == players && left == joined ? 0 : 1;
}
