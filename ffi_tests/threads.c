/* Several servers and clients in one thread, and the same in several threads at once: nothing is shared. */
#include "check.h"
#include <pthread.h>

enum { SERVERS = 3, CLIENTS = 4, THREADS = 4, MESSAGES = 50 };

/* Three servers of both protocols with four clients each; every client sends its own bytes, and gets them back. */
static void* play(void* unused)
{
    session_t sessions[SERVERS];
    cn_client_t* clients[SERVERS][CLIENTS];
    int echoed[SERVERS][CLIENTS];
    int s, c, tick, done = 0;
    memset(echoed, 0, sizeof(echoed));
    for (s = 0; s < SERVERS; ++s) {
        cn_server_config_t config;
        memset(&sessions[s], 0, sizeof(sessions[s]));
        if (s == 1) cnx_crypto_sign_keygen_1_00(&sessions[s].public_key, &sessions[s].secret_key);
        else cn_crypto_sign_keygen(&sessions[s].public_key, &sessions[s].secret_key);
        config = session_config(&sessions[s]);
        session_start_at(&sessions[s], cn_server_create(config), "127.0.0.1:0");
        for (c = 0; c < CLIENTS; ++c) {
            uint8_t token[CN_CONNECT_TOKEN_SIZE];
            cn_crypto_key_t up = cn_crypto_generate_key(), down = cn_crypto_generate_key();
            const char* addresses[1];
            addresses[0] = sessions[s].address;
            CHECK_OK(cn_generate_connect_token(APPLICATION_ID, 0, &up, &down, 1, 5, 1, addresses,
                (uint64_t)(s * CLIENTS + c), NULL, &sessions[s].secret_key, token));
            clients[s][c] = cn_client_create(0, APPLICATION_ID, false, NULL);
            CHECK_OK(cn_client_connect(clients[s][c], token));
        }
    }
    for (tick = 0; tick < 2000 && done < SERVERS * CLIENTS; ++tick) {
        for (s = 0; s < SERVERS; ++s) {
            cn_server_event_t event;
            for (c = 0; c < CLIENTS; ++c) {
                cn_client_t* client = clients[s][c];
                void* packet;
                int size;
                cn_client_update(client, TICK, 0);
                CHECK(cn_client_state_get(client) > 0);
                if (cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTED && echoed[s][c] == 0 && tick % 50 == 10) {
                    int i;
                    for (i = 0; i < MESSAGES; ++i) {
                        int message[3];
                        message[0] = s; message[1] = c; message[2] = i;
                        CHECK_OK(cn_client_send(client, message, (int)sizeof(message), true));
                    }
                    echoed[s][c] = 1;
                }
                while (cn_client_pop_packet(client, &packet, &size, NULL)) {
                    const int* message = (const int*)packet;
                    CHECK(size == 3 * (int)sizeof(int) && message[0] == s && message[1] == c);
                    CHECK(message[2] == echoed[s][c] - 1);
                    done += ++echoed[s][c] == MESSAGES + 1;
                    cn_client_free_packet(client, packet);
                }
            }
            cn_server_update(sessions[s].server, TICK, 0);
            while (cn_server_pop_event(sessions[s].server, &event)) {
                CHECK(event.type != CN_SERVER_EVENT_TYPE_DISCONNECTED);
                if (event.type == CN_SERVER_EVENT_TYPE_PAYLOAD_PACKET) {
                    int index = event.u.payload_packet.client_index;
                    CHECK_OK(cn_server_send(sessions[s].server, event.u.payload_packet.data,
                        event.u.payload_packet.size, index, true));
                    cn_server_free_packet(sessions[s].server, index, event.u.payload_packet.data);
                }
            }
        }
    }
    CHECK(done == SERVERS * CLIENTS);
    for (s = 0; s < SERVERS; ++s) {
        for (c = 0; c < CLIENTS; ++c) cn_client_destroy(clients[s][c]);
        cn_server_destroy(sessions[s].server);
    }
    return unused;
}

static cn_server_t* made_elsewhere;

static void* make_a_server(void* session)
{
    made_elsewhere = cn_server_create(session_config((session_t*)session));
    CHECK(cn_is_error(cn_server_start(made_elsewhere, "nonsense"))); /* a text made on a thread that ends */
    return NULL;
}

/* A handle is no thread's own: made on one, used on another, one at a time. */
static void a_handle_moves_between_threads(void)
{
    session_t session;
    pthread_t thread;
    cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, NULL);
    session_keys(&session);
    CHECK(pthread_create(&thread, NULL, make_a_server, &session) == 0 && pthread_join(thread, NULL) == 0);
    session_start_at(&session, made_elsewhere, "127.0.0.1:0");
    session_connect(&session, client, 1);
    cn_client_destroy(client);
    cn_server_destroy(session.server);
}

int main(void)
{
    pthread_t threads[THREADS];
    int i;
    use_everything();
    a_handle_moves_between_threads();
    for (i = 0; i < THREADS; ++i) CHECK(pthread_create(&threads[i], NULL, play, NULL) == 0);
    for (i = 0; i < THREADS; ++i) CHECK(pthread_join(threads[i], NULL) == 0);
    return 0;
}
