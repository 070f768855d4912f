/*
 * A game server: lets clients in, hears what they do, tells them what happens.
 *
 *     server [--address 127.0.0.1:5000] [--keys example.keys] [--loss 0.05] [--latency 0.02]
 *
 * The key pair is read from the file, and made if there is none. A web service that hands out connect tokens
 * has it too; here the client reads the file and makes its own token, which only an example may do.
 * --loss and --latency simulate a bad network on the way to the clients. Ctrl-C ends the server.
 */
#include "example.h"

static void read_or_make_keys(const char* path, cn_server_config_t* config)
{
    FILE* file = fopen(path, "rb");
    if (file != NULL) {
        size_t got = fread(config->secret_key.key, 1, sizeof(config->secret_key.key), file);
        fclose(file);
        if (got != sizeof(config->secret_key.key)) {
            fprintf(stderr, "%s is not a key file: remove it.\n", path);
            exit(1);
        }
        /* The second half of the secret key is the public key. */
        memcpy(config->public_key.key, config->secret_key.key + 32, sizeof(config->public_key.key));
        return;
    }
    cn_crypto_sign_keygen(&config->public_key, &config->secret_key);
    file = fopen(path, "wb");
    if (file == NULL || fwrite(config->secret_key.key, sizeof(config->secret_key.key), 1, file) != 1) {
        fprintf(stderr, "%s can't be written.\n", path);
        exit(1);
    }
    fclose(file);
    printf("made a new key pair: %s\n", path);
}

typedef struct player_t
{
    uint64_t client_id;
    bool leaving;
    tally_t tally;
} player_t;

static player_t players[CN_SERVER_MAX_CLIENTS];

static void handle_packet(player_t* player, const message_t* message, int size)
{
    /* What comes from a client is never trusted, not even its size. */
    if (size != (int)sizeof(*message)) return;
    switch (message->kind) {
    case KIND_INPUT: ++player->tally.unreliable_received; break;
    case KIND_CHAT: count_reliable(&player->tally, message); break;
    case KIND_LEAVING:
        count_reliable(&player->tally, message);
        player->leaving = true;
        break;
    default: break;
    }
}

static void handle_events(cn_server_t* server)
{
    cn_server_event_t event;
    while (cn_server_pop_event(server, &event)) {
        if (event.type == CN_SERVER_EVENT_TYPE_NEW_CONNECTION) {
            player_t* player = &players[event.u.new_connection.client_index];
            char address[64];
            memset(player, 0, sizeof(*player));
            player->client_id = event.u.new_connection.client_id;
            cn_endpoint_to_string(event.u.new_connection.endpoint, address, (int)sizeof(address));
            printf("client %llu connected from %s\n", (unsigned long long)player->client_id, address);
        } else if (event.type == CN_SERVER_EVENT_TYPE_PAYLOAD_PACKET) {
            handle_packet(&players[event.u.payload_packet.client_index],
                (const message_t*)event.u.payload_packet.data, event.u.payload_packet.size);
            cn_server_free_packet(server, event.u.payload_packet.client_index, event.u.payload_packet.data);
        } else {
            player_t* player = &players[event.u.disconnected.client_index];
            cnx_disconnection_t end;
            end.size = (uint32_t)sizeof(end);
            if (cnx_server_disconnection(server, event.u.disconnected.client_index, &end))
                printf("client %llu is gone: %s\n", (unsigned long long)player->client_id, reason_text(&end));
            print_tally("server_of", player->client_id, &player->tally);
        }
    }
}

static void send_to(cn_server_t* server, int index, unsigned tick)
{
    player_t* player = &players[index];
    message_t message = make_message(KIND_SNAPSHOT, tick);
    if (!player->leaving) {
        cn_server_send(server, &message, (int)sizeof(message), index, false);
        ++player->tally.unreliable_sent;
        if (tick % RELIABLE_EVERY == 0) {
            cn_result_t result;
            message = make_message(KIND_EVENT, player->tally.reliable_sent);
            result = cn_server_send(server, &message, (int)sizeof(message), index, true);
            if (cn_is_error(result)) die("cn_server_send", result);
            ++player->tally.reliable_sent;
        }
    }
    player->tally.rtt_ms = cn_server_get_rtt_estimate(server, index);
    player->tally.loss = cn_server_get_packet_loss_estimate(server, index);
}

int main(int argc, char** argv)
{
    const char* address = option(argc, argv, "--address", "127.0.0.1:5000");
    double loss = atof(option(argc, argv, "--loss", "0"));
    double latency = atof(option(argc, argv, "--latency", "0"));
    cn_server_config_t config = cn_server_config_defaults();
    cn_server_t* server;
    cn_result_t result;
    double last = seconds_now();
    unsigned tick;

    stop_on_ctrl_c();
    config.application_id = APPLICATION_ID;
    read_or_make_keys(option(argc, argv, "--keys", "example.keys"), &config);
    server = cn_server_create(config);
    result = cn_server_start(server, address);
    if (cn_is_error(result)) die("cn_server_start", result);
    /* All messages of a tick leave together, with the flush at its end. */
    cnx_server_set_send_mode(server, CNX_SEND_BATCHED);
    if (loss > 0 || latency > 0) cn_server_enable_network_simulator(server, latency, 0, loss, 0);
    {
        cn_endpoint_t bound;
        char text[64];
        cnx_server_bound_endpoint(server, &bound);
        cn_endpoint_to_string(bound, text, (int)sizeof(text));
        printf("listening on %s, libcute_net %s\n", text, cnx_version());
        fflush(stdout);
    }

    for (tick = 1; !interrupted; ++tick) {
        double now = seconds_now();
        int i;
        cn_server_update(server, now - last, (uint64_t)time(NULL));
        last = now;
        handle_events(server);
        for (i = 0; i < CN_SERVER_MAX_CLIENTS; ++i)
            if (cn_server_is_client_connected(server, i)) send_to(server, i, tick);
        cnx_server_flush(server);
        sleep_seconds(TICK_SECONDS);
    }

    cn_server_stop(server);
    handle_events(server);
    cn_server_destroy(server);
    printf("stopped\n");
    return 0;
}
