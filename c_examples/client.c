/*
 * A game client: connects, tells the server what its player does, hears what happens, and leaves.
 *
 *     client [--address 127.0.0.1:5000] [--keys example.keys] [--id 1] [--seconds 10] [--loss 0.05]
 *            [--latency 0.02]
 *
 * A real client gets its connect token from a web service where its player has logged in, and never sees the
 * secret key. This one makes its own. --loss and --latency simulate a bad network on the way to the server.
 * Ctrl-C leaves early.
 */
#include "example.h"

/* What a web service does for a player who has logged in. */
static void make_token(const char* key_file, const char* address, uint64_t client_id, uint8_t* token)
{
    cn_crypto_sign_secret_t secret;
    cn_crypto_key_t client_to_server = cn_crypto_generate_key();
    cn_crypto_key_t server_to_client = cn_crypto_generate_key();
    uint64_t now = (uint64_t)time(NULL);
    cn_result_t result;
    FILE* file = fopen(key_file, "rb");
    if (file == NULL || fread(secret.key, sizeof(secret.key), 1, file) != 1) {
        fprintf(stderr, "%s can't be read: start the server first, it makes the file.\n", key_file);
        exit(1);
    }
    fclose(file);
    result = cn_generate_connect_token(APPLICATION_ID, now, &client_to_server, &server_to_client, now + 60, 5, 1,
        &address, client_id, NULL, &secret, token);
    if (cn_is_error(result)) die("cn_generate_connect_token", result);
}

static void handle_packets(cn_client_t* client, tally_t* tally)
{
    void* packet;
    int size;
    while (cn_client_pop_packet(client, &packet, &size, NULL)) {
        const message_t* message = (const message_t*)packet;
        if (size == (int)sizeof(*message)) {
            if (message->kind == KIND_SNAPSHOT) ++tally->unreliable_received;
            if (message->kind == KIND_EVENT) count_reliable(tally, message);
        }
        cn_client_free_packet(client, packet);
    }
}

static void send_reliably(cn_client_t* client, kind_t kind, tally_t* tally)
{
    message_t message = make_message(kind, tally->reliable_sent);
    cn_result_t result = cn_client_send(client, &message, (int)sizeof(message), true);
    if (cn_is_error(result)) die("cn_client_send", result);
    ++tally->reliable_sent;
}

int main(int argc, char** argv)
{
    const char* address = option(argc, argv, "--address", "127.0.0.1:5000");
    uint64_t client_id = strtoull(option(argc, argv, "--id", "1"), NULL, 0);
    double play_seconds = atof(option(argc, argv, "--seconds", "10"));
    double loss = atof(option(argc, argv, "--loss", "0"));
    double latency = atof(option(argc, argv, "--latency", "0"));
    uint8_t token[CN_CONNECT_TOKEN_SIZE];
    cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, NULL);
    cn_client_state_t state;
    cn_result_t result;
    tally_t tally;
    double start = seconds_now(), last = start, connected_at = 0, leaving_at = 0, printed_at = 0;
    unsigned tick;

    memset(&tally, 0, sizeof(tally));
    stop_on_ctrl_c();
    make_token(option(argc, argv, "--keys", "example.keys"), address, client_id, token);
    result = cn_client_connect(client, token);
    if (cn_is_error(result)) die("cn_client_connect", result);
    /* All messages of a tick leave together, with the flush at its end. */
    cnx_client_set_send_mode(client, CNX_SEND_BATCHED);
    if (loss > 0 || latency > 0) cn_client_enable_network_simulator(client, latency, 0, loss, 0);

    for (tick = 1;; ++tick) {
        double now = seconds_now();
        cn_client_update(client, now - last, (uint64_t)time(NULL));
        last = now;
        state = cn_client_state_get(client);
        if (state <= CN_CLIENT_STATE_DISCONNECTED) {
            cnx_disconnection_t end;
            end.size = (uint32_t)sizeof(end);
            if (!cnx_client_disconnection(client, &end)) end.reason = -1;
            fprintf(stderr, "the connection ended: %s, %s\n", cn_client_state_string(state), reason_text(&end));
            break;
        }
        handle_packets(client, &tally);

        if (state == CN_CLIENT_STATE_CONNECTED) {
            if (connected_at == 0) {
                connected_at = now;
                printf("result: connected_ms=%.0f\n", (now - start) * 1000.0);
            }
            tally.rtt_ms = cn_client_get_rtt_estimate(client);
            tally.loss = cn_client_get_packet_loss_estimate(client);
            if (now - printed_at >= 1.0) {
                printed_at = now;
                printf("%5.1f s: round trip %5.1f ms, loss %4.1f %%, in %6.1f kbit/s, out %6.1f kbit/s\n", now - start,
                    tally.rtt_ms, tally.loss * 100.0, cn_client_get_incoming_kbps_estimate(client),
                    cn_client_get_outgoing_kbps_estimate(client));
                fflush(stdout);
            }
            if (leaving_at == 0) {
                message_t input = make_message(KIND_INPUT, tick);
                cn_client_send(client, &input, (int)sizeof(input), false);
                ++tally.unreliable_sent;
                if (tick % RELIABLE_EVERY == 0) send_reliably(client, KIND_CHAT, &tally);
                if (interrupted || now - connected_at >= play_seconds) {
                    send_reliably(client, KIND_LEAVING, &tally);
                    leaving_at = now;
                }
            } else if (now - leaving_at >= 1.5) {
                break; /* what was on the way has arrived, both ways */
            }
        } else if (interrupted) {
            break;
        }
        cnx_client_flush(client);
        sleep_seconds(TICK_SECONDS);
    }

    cn_client_disconnect(client);
    cn_client_destroy(client);
    print_tally("client", client_id, &tally);
    return leaving_at > 0 ? 0 : 1;
}
